export { type Anchor, type Line, MOST_SHAPES, ZONES_DEFAULTS, type Zone, type ZonesSettings } from './settings';
export { ZoneCounter, type ZonesInput, type ZonesOutput, type ZoneTotals } from './zone-counter';

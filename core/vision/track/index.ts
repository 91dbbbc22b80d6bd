export { TRACKER_DEFAULTS, type TrackerSettings } from './settings';
export { type Tracked, Tracker, type TrackerCounts } from './tracker';
export { TrackerSet } from './tracker-set';

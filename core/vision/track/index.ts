export { TRACKER_DEFAULTS, type TrackerSettings } from './settings';
export { type Tracked, Tracker, type TrackerCounts } from './tracker';
export { MOST_SOURCES, TrackerSet } from './tracker-set';

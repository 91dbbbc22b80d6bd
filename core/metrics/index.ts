export { type EventLoopDelay, EventLoopWatch } from './event-loop';
export { CONTENT_TYPES, type Format, formatFor, write } from './exposition';
export { type Family, family, type Labels } from './family';
export { Histogram } from './histogram';
export { NO_LABELS, Scrape, type WrittenLabels, writeLabels } from './scrape';

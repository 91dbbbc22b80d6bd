export { type EventChange, EventMachine, type EventStep } from './event-machine';
export { EVENT_DEFAULTS, type EventSettings } from './settings';

import { invalidSetting } from '../../errors';

export interface EventSettings {
  /** An event for each object, or one for all that is in the scene together. */
  per: 'object' | 'scene';
  /** Only these labels; all when empty. */
  labels: readonly string[];
  /** Only what is in one of these zones; anywhere when empty. */
  zones: readonly string[];
  /** Weaker detections are not looked at, 0 to 1. */
  leastScore: number;
  /** Seconds for which something must be there before it is an event. */
  leastSeconds: number;
  /** Seconds from which it loiters; 0: never. */
  loiterSeconds: number;
  /** Seconds for which it must be gone before the event is over. */
  endSeconds: number;
  /** Seconds after an event within which none of its name begins. What is still there then begins one. */
  coolDownSeconds: number;
  /** Seconds between updates; 0: only when a zone is entered or loitering begins. */
  updateSeconds: number;
  /** Seconds after which an event is ended and, if it goes on, another begins. */
  mostSeconds: number;
}

export const EVENT_DEFAULTS: Readonly<EventSettings> = {
  per: 'object',
  labels: [],
  zones: [],
  leastScore: 0,
  leastSeconds: 1,
  loiterSeconds: 0,
  endSeconds: 3,
  coolDownSeconds: 0,
  updateSeconds: 0,
  mostSeconds: 600,
};

/** @throws EDGE_SETTING */
export function checkEventSettings(settings: EventSettings): void {
  if (settings.per !== 'object' && settings.per !== 'scene') throw invalidSetting('per', '"object" or "scene"', settings.per);
  if (!(settings.leastScore >= 0 && settings.leastScore <= 1)) {
    throw invalidSetting('leastScore', 'a number from 0 to 1', settings.leastScore);
  }
  for (const name of ['leastSeconds', 'loiterSeconds', 'endSeconds', 'coolDownSeconds', 'updateSeconds'] as const) {
    const value = settings[name];
    if (!(value >= 0 && value <= 86_400)) throw invalidSetting(name, 'a number from 0 to 86400', value);
  }
  if (!(settings.mostSeconds >= 1 && settings.mostSeconds <= 86_400)) {
    throw invalidSetting('mostSeconds', 'a number from 1 to 86400', settings.mostSeconds);
  }
}

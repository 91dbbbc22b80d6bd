import { invalidSetting } from '../../errors';
import type { Motion } from './motion';

export interface GateSettings {
  /** Seconds for which frames still pass after the last motion: what stops moving is looked at a while longer. */
  holdSeconds: number;
  /** A frame passes at least every so many seconds, for what moves too little to be noticed. 0: never without motion. */
  everySeconds: number;
}

export const GATE_DEFAULTS: Readonly<GateSettings> = { holdSeconds: 2, everySeconds: 10 };

/** Lets frames pass while something moves, and counts what it saved. Times are milliseconds of the stream's clock. */
export class MotionGate {
  passed = 0;
  stopped = 0;
  private readonly settings: GateSettings;
  private openUntil = Number.NEGATIVE_INFINITY;
  private lastPassed = Number.NEGATIVE_INFINITY;

  /** @throws EDGE_SETTING */
  constructor(settings: Partial<GateSettings> = {}) {
    this.settings = { ...GATE_DEFAULTS, ...settings };
    for (const [name, value] of Object.entries(this.settings)) {
      if (!(value >= 0 && value <= 3600)) throw invalidSetting(name, 'a number from 0 to 3600', value);
    }
  }

  /** While the background is being learnt everything passes: nobody knows yet what moves. */
  passes({ moving, scene }: Pick<Motion, 'moving' | 'scene'>, now: number): boolean {
    const { holdSeconds, everySeconds } = this.settings;
    if (moving || scene === 'learning') this.openUntil = now + holdSeconds * 1000;
    const due = everySeconds > 0 && now - this.lastPassed >= everySeconds * 1000;
    if (now > this.openUntil && !due) {
      this.stopped += 1;
      return false;
    }
    this.lastPassed = now;
    this.passed += 1;
    return true;
  }
}

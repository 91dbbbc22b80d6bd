import type { Box, Detection } from '../../message/results';
import { BoxFilter } from './kalman';

/**
 * `tentative`: seen too few times to count. `tracked`: seen in the last frame. `lost`: known and not seen. `ended`: given up.
 *
 *     tentative -> tracked <-> lost -> ended,  tentative -> ended
 */
export type TrackState = 'tentative' | 'tracked' | 'lost' | 'ended';

/**
 * How much less a box is trusted where another object is expected: one detection of two people who pass each other must not turn
 * the motion of the one into that of the other. On half of PETS09-S2L1 it took a tenth off the switches, at any of 2 to 10.
 */
const CROWDED = 4;

/** One object over time. Times are milliseconds of the stream's clock. */
export class Track {
  state: TrackState = 'tentative';
  hits = 1;
  lastSeen: number;
  /** When it was last seen by a strong detection. */
  lastSure: number;
  /** 0 until the track is confirmed: only what counts takes a number. */
  id = 0;
  readonly label: string;
  private readonly filter: BoxFilter;

  constructor(
    public detection: Detection,
    readonly firstSeen: number,
  ) {
    this.label = detection.label;
    this.lastSeen = firstSeen;
    this.lastSure = firstSeen;
    this.filter = new BoxFilter(detection.box);
    this.box = detection.box;
  }

  /** The estimate at the stream's time. */
  box: Box;

  get velocity(): { x: number; y: number } {
    return this.filter.velocity;
  }

  predict(seconds: number): void {
    this.filter.predict(seconds, this.state !== 'tracked');
    this.box = this.filter.box;
  }

  /** @param shared overlap of the detection with where another object is expected, 0 to 1. */
  see(detection: Detection, now: number, shared = 0): void {
    this.filter.correct(detection.box, 1 + CROWDED * shared);
    this.box = this.filter.box;
    this.detection = detection;
    this.hits += 1;
    this.lastSeen = now;
    if (this.state === 'lost') this.state = 'tracked';
  }

  confirm(id: number): void {
    this.id = id;
    this.state = 'tracked';
  }
}

import type { Box, Detection } from '../../message/results';
import { BoxFilter } from './kalman';

/**
 * `tentative`: seen too few times to count. `tracked`: seen in the last frame. `lost`: known and not seen. `ended`: given up.
 *
 *     tentative -> tracked <-> lost -> ended,  tentative -> ended
 */
export type TrackState = 'tentative' | 'tracked' | 'lost' | 'ended';

/** One object over time. Times are milliseconds of the stream's clock. */
export class Track {
  state: TrackState = 'tentative';
  hits = 1;
  lastSeen: number;
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

  see(detection: Detection, now: number): void {
    this.filter.correct(detection.box);
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

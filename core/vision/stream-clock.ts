/** Milliseconds by which a frame may be late and is still taken for a straggler; more, and the clock was set back. */
const LATE_MS = 5000;
/** So many late frames in a row, each later than the one before, are no stragglers: the clock was set back by a little. */
const LATE_IN_A_ROW = 5;
/** Milliseconds between frames until two have shown it. */
const USUAL_MS = 100;

/** The last moment that a Date knows, in milliseconds; what is later is no time. */
const LATEST_MS = 8.64e15;

/**
 * The time of one stream of frames, which only goes forwards, made from capture times, which do not: frames overtake each other,
 * come twice, and a computer's clock is set.
 *
 * - A frame that is not newer than the one before it is **refused**: nothing of it is used.
 * - A frame more than five seconds late, or the fifth late frame in a row, shows that the **clock was set back**: time then goes
 *   on by the usual interval and is counted from there. A correction by NTP thus costs at most four frames and no track.
 * - A frame far ahead is believed: nobody can tell a clock set forward from a camera that was away.
 */
export class StreamClock {
  /** Milliseconds since the stream's first frame; -1 before it. */
  now = -1;
  /** Frames that were refused. */
  refused = 0;
  /** How often the clock was set back. */
  setBack = 0;
  private last = Number.NaN;
  private interval = USUAL_MS;
  private late = 0;
  private latest = Number.NaN;

  /**
   * @param at capture time in milliseconds, of any origin; what is no time is refused.
   * @returns milliseconds since the frame before (0 for the first), null when the frame is refused.
   */
  tick(at: number): number | null {
    if (!isTime(at)) return this.refuse();
    if (Number.isNaN(this.last)) {
      this.last = at;
      this.now = 0;
      return 0;
    }
    let elapsed = at - this.last;
    if (elapsed > 0) {
      this.interval += 0.1 * (Math.min(elapsed, 10 * this.interval) - this.interval);
    } else {
      this.late = this.late > 0 && at > this.latest ? this.late + 1 : 1;
      this.latest = at;
      if (elapsed >= -LATE_MS && this.late < LATE_IN_A_ROW) return this.refuse();
      this.setBack += 1;
      elapsed = this.interval;
    }
    this.late = 0;
    this.last = at;
    this.now += elapsed;
    return elapsed;
  }

  /** The stream's time when it is `at` elsewhere, for what happens between frames; moves nothing. */
  timeOf(at: number): number {
    const since = at - this.last;
    return Math.max(0, this.now) + (isTime(at) && since > 0 ? since : 0);
  }

  private refuse(): null {
    this.refused += 1;
    return null;
  }
}

export function isTime(at: unknown): at is number {
  return typeof at === 'number' && Math.abs(at) <= LATEST_MS;
}

import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

/** Milliseconds between two looks of the native timer: fine enough for delays of 5 ms, 100 wake-ups a second without JavaScript. */
const RESOLUTION_MS = 10;
/** Milliseconds without a question after which nobody is taken to be interested any more. */
const IDLE_MS = 10 * 60_000;

/** How long the event loop was not free beyond the timer's own interval, in seconds. */
export interface EventLoopDelay {
  p50: number;
  p99: number;
  longest: number;
}

/** Watches the event loop only while somebody asks; each answer is about the time since the one before. */
export class EventLoopWatch {
  private histogram: IntervalHistogram | undefined;
  private idle: NodeJS.Timeout | undefined;
  private last: EventLoopDelay | null = null;

  /** Null at the first question, which only begins to watch. */
  read(): EventLoopDelay | null {
    this.keepAwake();
    if (!this.histogram) {
      this.histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
      this.histogram.enable();
      return null;
    }
    const { histogram } = this;
    // Two who ask in the same moment get the same answer.
    if (histogram.count === 0) return this.last;
    const [p50, p99] = [50, 99].map((percent) => beyond(histogram.percentile(percent))) as [number, number];
    this.last = { p50, p99, longest: beyond(histogram.max) };
    histogram.reset();
    return this.last;
  }

  close(): void {
    clearTimeout(this.idle);
    this.histogram?.disable();
    this.histogram = undefined;
    this.last = null;
  }

  private keepAwake(): void {
    clearTimeout(this.idle);
    this.idle = setTimeout(() => this.close(), IDLE_MS);
    this.idle.unref();
  }
}

/** The histogram holds nanoseconds between two looks, the interval included. */
function beyond(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS) / 1000;
}

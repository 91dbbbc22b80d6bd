/** Milliseconds of the first pause and of the longest; each is twice the one before it. */
const FIRST_MS = 1000;
const LONGEST_MS = 60_000;

/** Milliseconds without a failure after which the next one is taken for the first. */
const GOOD_STRETCH_MS = 60_000;

/** Pauses between failures that follow each other, each somewhere in the upper half of its length, so that several do not beat in time. */
export class Backoff {
  private failures = 0;
  /** When the last pause was over. */
  private overAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** Milliseconds to wait after a failure that happened just now. */
  pause(): number {
    const now = this.now();
    if (now - this.overAt > GOOD_STRETCH_MS) this.failures = 0;
    const pause = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.failures) * (0.5 + Math.random() / 2);
    this.failures += 1;
    this.overAt = now + pause;
    return pause;
  }
}

/** Upper bounds in seconds of how long a run takes or waits: from a tiny autoencoder to a hung child's limit. */
export const DURATION_BOUNDS = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** How often a value fell under each of some fixed bounds: constant memory, and an addition for each observation. */
export class Histogram {
  /** Observations of each bucket by itself; the last is for what is above every bound. */
  readonly counts: number[];
  sum = 0;

  /** @param bounds inclusive upper bounds, ascending; the infinite one is added. */
  constructor(readonly bounds: readonly number[] = DURATION_BOUNDS) {
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  /** A value that is no number is left out: it would make the sum useless for good. */
  observe(value: number): void {
    if (Number.isNaN(value)) return;
    let bucket = 0;
    while (bucket < this.bounds.length && value > this.bounds[bucket]!) bucket++;
    this.counts[bucket]! += 1;
    this.sum += value;
  }

  /** Add what another of the same bounds has seen. */
  add(other: Histogram): void {
    for (const [bucket, count] of other.counts.entries()) this.counts[bucket]! += count;
    this.sum += other.sum;
  }
}

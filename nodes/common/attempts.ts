/** Wrong tries that are answered, and milliseconds in which they are counted. */
const MOST_TRIES = 10;
const WINDOW_MS = 60_000;
/** Addresses that are remembered; the oldest makes room. */
const MOST_ADDRESSES = 1000;

/** Counts wrong tries by where they come from, so that nobody can try for long. */
export class Attempts {
  private readonly tries = new Map<string, { count: number; until: number }>();

  /** Milliseconds for which nothing more is answered; 0 where all is well. */
  wait(from: string): number {
    const known = this.tries.get(from);
    if (!known) return 0;
    const left = known.until - performance.now();
    if (left <= 0) this.tries.delete(from);
    return left > 0 && known.count >= MOST_TRIES ? left : 0;
  }

  /** @returns whether it is the first of its window, and so worth a line of the log. */
  fail(from: string): boolean {
    const known = this.tries.get(from);
    if (known) {
      known.count += 1;
      return false;
    }
    if (this.tries.size >= MOST_ADDRESSES) this.tries.delete(this.tries.keys().next().value!);
    this.tries.set(from, { count: 1, until: performance.now() + WINDOW_MS });
    return true;
  }
}

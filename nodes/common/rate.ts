/** Events per second over a sliding window of a few seconds, in whole-second buckets: constant memory, constant time. */
export class Rate {
  private readonly buckets: number[];
  private readonly since = performance.now();
  private second = 0;

  constructor(windowSeconds = 5) {
    this.buckets = new Array<number>(windowSeconds).fill(0);
  }

  count(): void {
    this.advance();
    this.buckets[this.second % this.buckets.length]! += 1;
  }

  /** Since the start while the window is not yet full, so that a slow model's first figure is not too low. */
  perSecond(): number {
    this.advance();
    const elapsed = (performance.now() - this.since) / 1000;
    const whole = this.second < this.buckets.length ? elapsed : this.buckets.length - 1 + (elapsed % 1);
    const events = this.buckets.reduce((sum, bucket) => sum + bucket, 0);
    return whole > 0 ? events / whole : 0;
  }

  private advance(): void {
    const now = Math.floor((performance.now() - this.since) / 1000);
    const steps = Math.min(now - this.second, this.buckets.length);
    for (let step = 0; step < steps; step++) this.buckets[(now - step) % this.buckets.length] = 0;
    this.second = now;
  }
}

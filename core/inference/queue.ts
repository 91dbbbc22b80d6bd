import { EdgeError } from '../errors';

/**
 * What happens to items that come faster than they are worked on:
 * - `latest`: only the newest waits, an older one is dropped for it (cameras);
 * - `drop-oldest`, `drop-newest`: when `capacity` items wait, the one that waited longest, or the one that comes, is dropped;
 * - `wait`: every item waits its turn; one that finds `capacity` before it is refused with EDGE_QUEUE_FULL;
 * - `batch`: as `wait`, and up to `size` items are worked on as one, as soon as so many wait or the first waited `longestWaitMs`.
 */
export type QueuePolicy = 'latest' | 'drop-oldest' | 'drop-newest' | 'wait' | 'batch';

interface Bounds {
  /** Most items that wait, at least 1; `latest` always keeps one. */
  capacity?: number;
  /** Most items (of `batch`: batches) worked on at a time. */
  concurrency?: number;
}

export type QueueOptions<T, R> = Bounds &
  (
    | { policy: Exclude<QueuePolicy, 'batch'>; work: (item: T) => Promise<R> }
    | { policy: 'batch'; size: number; longestWaitMs: number; work: (items: readonly T[]) => Promise<readonly R[]> }
  );

/** Always: in = out + dropped + failed + waiting + running. */
export interface QueueStats {
  in: number;
  /** Items whose work gave a value. */
  out: number;
  /** Items that the policy let go, or refused because the queue was full. */
  dropped: number;
  /** Items whose work threw, or that waited when the queue was closed. */
  failed: number;
  waiting: number;
  running: number;
  /** Milliseconds for which the oldest waiting item has waited; 0 when none waits. */
  oldestMs: number;
}

export type Pushed<R> = { dropped: false; value: R } | { dropped: true };

interface Waiting<T, R> {
  item: T;
  since: number;
  resolve(pushed: Pushed<R>): void;
  reject(reason: unknown): void;
}

/** A queue in front of work that can be slower than its input; it never holds more than its capacity. */
export class BoundedQueue<T, R> {
  private capacity = 1;
  private concurrency = 1;
  private readonly waiting: Waiting<T, R>[] = [];
  private readonly counts = { in: 0, out: 0, dropped: 0, failed: 0 };
  private running = 0;
  /** Batches or items in work. */
  private busy = 0;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  private options: QueueOptions<T, R>;

  constructor(options: QueueOptions<T, R>) {
    this.options = options;
    this.change(options);
  }

  /** Go on by other rules. What waits is kept, however much it is: the rules hold for what comes. */
  change(options: QueueOptions<T, R>): void {
    this.options = options;
    this.capacity = options.policy === 'latest' ? 1 : Math.max(1, options.capacity ?? 1);
    this.concurrency = Math.max(1, options.concurrency ?? 1);
    clearTimeout(this.timer);
    this.start();
  }

  /**
   * Resolves with the work's value, or with `dropped` when the policy let the item go; rejects with what the work threw.
   * @throws EDGE_QUEUE_FULL (policies `wait` and `batch`), EDGE_SESSION_CLOSED
   */
  push(item: T): Promise<Pushed<R>> {
    return new Promise((resolve, reject) => {
      this.counts.in += 1;
      if (this.closed) {
        this.counts.failed += 1;
        reject(new EdgeError('EDGE_SESSION_CLOSED'));
        return;
      }
      this.waiting.push({ item, since: performance.now(), resolve, reject });
      this.start();
      if (this.waiting.length > this.capacity) this.overflow();
    });
  }

  stats(): QueueStats {
    const oldest = this.waiting[0];
    const oldestMs = oldest ? performance.now() - oldest.since : 0;
    return { ...this.counts, waiting: this.waiting.length, running: this.running, oldestMs };
  }

  /** Refuses what waits and what comes; work that has begun ends by itself. */
  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    for (const { reject } of this.waiting.splice(0)) {
      this.counts.failed += 1;
      reject(new EdgeError('EDGE_SESSION_CLOSED'));
    }
  }

  /** The newest item is one too many; where rules have changed there may be more of them. */
  private overflow(): void {
    const { policy } = this.options;
    const oldest = policy === 'latest' || policy === 'drop-oldest';
    const excess = oldest ? this.waiting.splice(0, this.waiting.length - this.capacity) : this.waiting.splice(-1);
    for (const { resolve, reject } of excess) {
      this.counts.dropped += 1;
      if (policy === 'wait' || policy === 'batch') {
        reject(new EdgeError('EDGE_QUEUE_FULL', `${this.capacity} wait already`));
      } else resolve({ dropped: true });
    }
  }

  private start(): void {
    while (this.busy < this.concurrency && this.waiting.length > 0) {
      const count = this.takeable();
      if (count === 0) return;
      void this.work(this.waiting.splice(0, count));
    }
  }

  /** How many of the waiting items are worked on next; 0 when a batch is better waited for. */
  private takeable(): number {
    const { options } = this;
    if (options.policy !== 'batch') return 1;
    const size = Math.min(options.size, this.capacity);
    if (this.waiting.length >= size) return size;
    const left = this.waiting[0]!.since + options.longestWaitMs - performance.now();
    if (left <= 0) return this.waiting.length;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.start(), left);
    return 0;
  }

  private async work(taken: readonly Waiting<T, R>[]): Promise<void> {
    this.busy += 1;
    this.running += taken.length;
    try {
      const values = await this.valuesOf(taken.map(({ item }) => item));
      this.finish(taken, 'out');
      taken.forEach(({ resolve }, index) => {
        resolve({ dropped: false, value: values[index] as R });
      });
    } catch (thrown) {
      this.finish(taken, 'failed');
      for (const { reject } of taken) reject(thrown);
    }
    this.start();
  }

  private async valuesOf(items: readonly T[]): Promise<readonly R[]> {
    const { options } = this;
    if (options.policy !== 'batch') return [await options.work(items[0]!)];
    const values = await options.work(items);
    if (values.length === items.length) return values;
    throw new EdgeError('EDGE_INTERNAL', `${values.length} values for a batch of ${items.length}`);
  }

  private finish(taken: readonly Waiting<T, R>[], count: 'out' | 'failed'): void {
    this.busy -= 1;
    this.running -= taken.length;
    this.counts[count] += taken.length;
  }
}

import { asEdgeError, EdgeError, type ErrorCode } from '../../core/errors';
import { BoundedQueue, type QueueStats, type Task, type TaskOptions, type TaskOutcome } from '../../core/task';
import type { ModelProvider } from '../common/model-owner';

export type QueueSettings = { capacity: number } & (
  | { policy: 'latest' | 'drop-oldest' | 'drop-newest' | 'wait' }
  | { policy: 'batch'; size: number; longestWaitMs: number }
);

type Settled = { outcome: TaskOutcome } | { thrown: unknown };

/** Pictures prepared and run at a time: the next is prepared while the model works on this one. */
const CONCURRENCY = 2;

/** First and longest pause before a model that could not be loaded is tried again, in milliseconds. */
const FIRST_RETRY_MS = 5_000;
const LONGEST_RETRY_MS = 300_000;

/** Failures that may pass without anybody's doing: a network that comes up later, a disk that is mounted later. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  'EDGE_MODEL_DOWNLOAD',
  'EDGE_MODEL_NOT_FOUND',
  'EDGE_STORE_WRITE',
  'EDGE_WORKER_EXITED',
  'EDGE_MODEL_CRASHED',
  'EDGE_MODEL_TIMEOUT',
  'EDGE_MODEL_MEMORY',
]);

/** A model behind a queue, from the moment on at which it begins to load: what comes earlier waits as the policy says. */
export class Runner {
  private readonly queue: BoundedQueue<unknown, Settled>;
  private task: Promise<Task>;
  private retry: NodeJS.Timeout | undefined;
  private pause = FIRST_RETRY_MS;
  private loaded = false;
  private closed = false;

  constructor(
    private readonly model: ModelProvider,
    private readonly options: TaskOptions,
    queue: QueueSettings,
    /** Told what a user should know of the model, once it is loaded: missing labels and the like. */
    private readonly warn: (sentence: string) => void,
  ) {
    const { policy } = queue;
    this.queue =
      policy === 'batch'
        ? new BoundedQueue<unknown, Settled>({ ...queue, work: (payloads: readonly unknown[]) => this.workAll(payloads) })
        : new BoundedQueue<unknown, Settled>({
            ...queue,
            policy,
            concurrency: CONCURRENCY,
            work: (payload) => this.work(payload),
          });
    this.task = this.load();
  }

  /**
   * The outcome, or null when the policy dropped the payload or the node was closed while it waited.
   * @throws what loading the model or running it threw.
   */
  async run(payload: unknown): Promise<TaskOutcome | null> {
    try {
      const pushed = await this.queue.push(payload);
      if (pushed.dropped) return null;
      if ('thrown' in pushed.value) throw pushed.value.thrown;
      return pushed.value.outcome;
    } catch (thrown) {
      if (this.closed && asEdgeError(thrown).code === 'EDGE_SESSION_CLOSED') return null;
      throw thrown;
    }
  }

  stats(): QueueStats {
    return this.queue.stats();
  }

  /** Messages dropped since the start. */
  get dropped(): number {
    return this.queue.stats().dropped;
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.retry);
    this.queue.close();
    const closing = this.task.then(
      (task) => task.close(),
      () => {},
    );
    // One that still loads, perhaps a download of minutes, is closed when it comes; a deploy does not wait for it.
    if (this.loaded) await closing;
  }

  /** Handed over together, a tiny model takes them as one batch; a damaged one among them fails alone. */
  private workAll(payloads: readonly unknown[]): Promise<Settled[]> {
    return Promise.all(payloads.map((payload) => this.work(payload)));
  }

  private async work(payload: unknown): Promise<Settled> {
    try {
      const task = await this.task;
      return { outcome: await task.run(payload) };
    } catch (thrown) {
      return { thrown };
    }
  }

  private load(): Promise<Task> {
    const loading = this.model.task(this.options);
    loading.then(
      (task) => {
        this.loaded = true;
        this.pause = FIRST_RETRY_MS;
        task.info.warnings.forEach(this.warn);
      },
      (error: EdgeError) => {
        if (this.closed || !PASSING.has(error.code)) return;
        this.retry = setTimeout(() => {
          this.task = this.load();
        }, error.retryAfter ?? this.pause);
        this.pause = Math.min(this.pause * 2, LONGEST_RETRY_MS);
      },
    );
    return loading;
  }
}

/** @throws EDGE_MODEL_NONE when the model that a flow names is not there: deleted, disabled or of another type. */
export function modelProvider(node: unknown): ModelProvider {
  if (typeof node === 'object' && node !== null && 'task' in node && 'onState' in node) return node as ModelProvider;
  throw new EdgeError('EDGE_MODEL_NONE', 'the chosen model node does not exist or is disabled');
}

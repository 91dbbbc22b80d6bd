import { isDeepStrictEqual } from 'node:util';
import { asEdgeError, EdgeError } from '../../core/errors';
import { BoundedQueue, type QueueOptions, type QueueStats, type Task, type TaskOptions, type TaskOutcome } from '../../core/task';
import { LiveTask } from '../../core/task/live-task';
import type { ModelProvider } from '../common/model-owner';
import { Retry } from '../common/retry';

export type QueueSettings = { capacity: number } & (
  | { policy: 'latest' | 'drop-oldest' | 'drop-newest' | 'wait' }
  | { policy: 'batch'; size: number; longestWaitMs: number }
);

export interface RunnerSettings {
  /** The chosen model; null for the packaged one. */
  model: ModelProvider | null;
  options: TaskOptions;
  queue: QueueSettings;
}

type Settled = { outcome: TaskOutcome } | { thrown: unknown };

/** Pictures prepared and run at a time: the next is prepared while the model works on this one. */
const CONCURRENCY = 2;

/**
 * A model behind a queue, from the moment on at which it begins to load: what comes earlier waits as the policy says. It outlives
 * the redeploy of its node: `use` gives it other settings without losing what waits or is under way.
 */
export class Runner {
  private readonly queue: BoundedQueue<unknown, Settled>;
  private settings: RunnerSettings;
  private packaged: (ModelProvider & { close(): Promise<void> }) | undefined;
  private readonly retry = new Retry();
  /** Resolves with the first task that could be opened; what loads later goes into it. */
  private task: Promise<LiveTask>;
  private live: LiveTask | undefined;
  private loading = 0;
  private failed = false;
  private closed = false;

  constructor(
    settings: RunnerSettings,
    /** The packaged model, for as long as no other is chosen. */
    private readonly openPackaged: () => ModelProvider & { close(): Promise<void> },
    /** Told when other settings could not be taken over, and the task before them goes on. */
    private readonly kept: (error: EdgeError) => void,
  ) {
    this.settings = settings;
    this.queue = new BoundedQueue(this.queueOptions(settings.queue));
    this.task = this.first();
  }

  /** The model that is run, or will be. */
  get model(): ModelProvider {
    if (this.settings.model) return this.settings.model;
    this.packaged ??= this.openPackaged();
    return this.packaged;
  }

  /** Whether there is a model that works, whatever else is loaded beside it. */
  get running(): boolean {
    return this.live !== undefined;
  }

  stats(): QueueStats {
    return this.queue.stats();
  }

  /** What a user should know of the model that is run. */
  get warnings(): readonly string[] {
    return this.live?.info.warnings ?? [];
  }

  /** Go on with these settings. What failed before is tried again. */
  use(settings: RunnerSettings): void {
    const { model, options, queue } = this.settings;
    this.settings = settings;
    if (!isDeepStrictEqual(queue, settings.queue)) this.queue.change(this.queueOptions(settings.queue));
    const same = model === settings.model && isDeepStrictEqual(options, settings.options);
    if (!same || this.failed) this.reopen();
  }

  /** Look at the model's source again. @throws what keeps the new model from taking over; the one before it goes on. */
  async reload(): Promise<void> {
    if (this.live && !this.failed) return this.model.reload();
    this.reopen();
    await this.task;
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

  /** A model that still loads, perhaps a download of minutes, is closed when it comes; a deploy does not wait for it. */
  async close(): Promise<void> {
    this.closed = true;
    this.retry.stop();
    this.queue.close();
    await this.live?.close();
    await this.packaged?.close();
  }

  private reopen(): void {
    this.retry.stop();
    if (this.live) void this.change(this.live);
    else this.task = this.first();
  }

  private first(): Promise<LiveTask> {
    const task = this.load();
    // Each message that waits for it gets its failure; there may be none.
    task.catch(() => {});
    return task;
  }

  /** The first task. Who waits for it gets what was asked for last, however often that changes meanwhile. */
  private async load(): Promise<LiveTask> {
    this.loading += 1;
    const { loading } = this;
    this.failed = false;
    let task: Task | undefined;
    let error: unknown;
    try {
      task = await this.model.task(this.settings.options);
    } catch (thrown) {
      error = thrown;
    }
    if (this.closed) {
      await task?.close();
      throw new EdgeError('EDGE_SESSION_CLOSED');
    }
    if (loading !== this.loading) {
      void task?.close();
      return this.task;
    }
    if (task) {
      this.retry.stop();
      this.live = new LiveTask(task);
      this.closeUnused();
      return this.live;
    }
    this.failed = true;
    this.retry.after(asEdgeError(error), () => this.reopen());
    throw error;
  }

  /** Another task beside the one that runs. */
  private async change(live: LiveTask): Promise<void> {
    const { settings } = this;
    this.failed = false;
    try {
      const changed = await live.change(() => this.model.task(settings.options));
      if (!changed || settings !== this.settings) return;
      this.closeUnused();
    } catch (thrown) {
      if (this.closed || settings !== this.settings) return;
      const error = asEdgeError(thrown);
      this.failed = true;
      this.kept(error);
      this.retry.after(error, () => this.reopen());
    }
  }

  /** The packaged model, once another one runs. */
  private closeUnused(): void {
    if (!this.settings.model || !this.packaged) return;
    void this.packaged.close();
    this.packaged = undefined;
  }

  private queueOptions(queue: QueueSettings): QueueOptions<unknown, Settled> {
    return queue.policy === 'batch'
      ? { ...queue, work: (payloads: readonly unknown[]) => this.workAll(payloads) }
      : { ...queue, policy: queue.policy, concurrency: CONCURRENCY, work: (payload: unknown) => this.work(payload) };
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
}

/**
 * The model of an `edge-model` node: the same object before and after a deploy that made the node anew.
 * @throws EDGE_MODEL_NONE when the model that a flow names is not there: deleted, disabled or of another type.
 */
export function modelProvider(node: unknown): ModelProvider {
  if (typeof node === 'object' && node !== null && 'model' in node && isProvider(node.model)) return node.model;
  throw new EdgeError('EDGE_MODEL_NONE', 'the chosen model node does not exist or is disabled');
}

function isProvider(value: unknown): value is ModelProvider {
  return typeof value === 'object' && value !== null && 'task' in value && 'onState' in value;
}

import { EdgeError } from '../errors';
import { within } from '../inference/within';
import type { Task, TaskInfo, TaskOutcome } from './task';

/** Most milliseconds that runs under way on a task that was replaced get to end, before its memory is given back. */
const DRAIN_MS = 10_000;

/**
 * A task whose model can be changed while it runs. Runs that have begun end on the old model, later ones begin on the new one,
 * and results still come in the order of the calls. One change at a time; the newest asked for wins.
 */
export class LiveTask implements Task {
  /** Runs under way on the present task. */
  private running = new Set<Promise<unknown>>();
  /** Resolves when every run on the tasks before the present one is through. */
  private drained: Promise<unknown> = Promise.resolve();
  private readonly retiring = new Set<Task>();
  /** Settles with the change under way. */
  private changing: Promise<unknown> = Promise.resolve();
  private newest: AbortController | undefined;
  private closed: Promise<void> | undefined;

  constructor(private task: Task) {}

  get info(): TaskInfo {
    return this.task.info;
  }

  get concurrency(): number {
    return this.task.concurrency;
  }

  async run(payload: unknown, signal?: AbortSignal): Promise<TaskOutcome> {
    if (this.closed) throw new EdgeError('EDGE_SESSION_CLOSED', this.task.info.manifest.id);
    const { drained, running: own } = this;
    const running = this.task.run(payload, signal);
    own.add(running);
    try {
      return await running;
    } finally {
      own.delete(running);
      await drained;
    }
  }

  /**
   * Open another task beside the present one, and go over to it once it is ready. What `next` opens is closed again when a newer
   * change was asked for meanwhile, or the task was closed; its signal then says so.
   * @returns whether it took over.
   * @throws what `next` throws; the present task then stays.
   */
  change(next: (signal: AbortSignal) => Promise<Task>): Promise<boolean> {
    this.newest?.abort();
    const own = new AbortController();
    this.newest = own;
    const change = this.changing.then(() => this.take(next, own.signal));
    this.changing = change.catch(() => {});
    return change;
  }

  /** Ends the present task and those that still drain; a change under way is called off and not waited for. */
  close(): Promise<void> {
    this.closed ??= this.end();
    return this.closed;
  }

  private async take(next: (signal: AbortSignal) => Promise<Task>, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    let task: Task;
    try {
      task = await next(signal);
    } catch (thrown) {
      // Nobody waits any more for what was called off.
      if (signal.aborted) return false;
      throw thrown;
    }
    if (signal.aborted) {
      await task.close();
      return false;
    }
    this.goOver(task);
    return true;
  }

  private goOver(task: Task): void {
    const old = this.task;
    const runs = this.running;
    this.task = task;
    this.running = new Set();
    this.retiring.add(old);
    const drained = Promise.all([this.drained, within(DRAIN_MS, Promise.allSettled(runs))]);
    this.drained = drained;
    drained
      .then(() => old.close())
      .catch(() => {})
      .finally(() => this.retiring.delete(old));
  }

  private async end(): Promise<void> {
    this.newest?.abort();
    await Promise.all([this.task, ...this.retiring].map((task) => task.close()));
  }
}

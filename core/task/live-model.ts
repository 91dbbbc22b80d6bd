import { EdgeError } from '../errors';
import { type InferenceHost, sharedHost } from '../inference/host';
import type { Manifest, ResolvedModel } from '../model/manifest';
import { checkGolden } from './golden';
import { openTask } from './index';
import { LiveTask } from './live-task';
import type { Task, TaskOptions } from './task';

/** A model on this machine's disk, with what holds for each of its users; a user's own options win. */
export interface ChosenModel {
  model: ResolvedModel;
  options: TaskOptions;
}

/** Finds the model, perhaps by a download; the signal calls it off. */
export type FindModel = (signal: AbortSignal) => Promise<ChosenModel>;

interface Found extends ChosenModel {
  /** Its golden samples are checked once, not for each user. */
  golden?: Promise<void>;
}

/**
 * One model for as many users as ask, which can be exchanged under all of them at once: the new one is opened, warmed up and
 * checked for every user beside the old one, and either all go over to it or none does.
 */
export class LiveModel {
  private found: Promise<Found> | undefined;
  /** The model that the users run. */
  private inUse: Found | undefined;
  private finding = new AbortController();
  private readonly users = new Map<LiveTask, TaskOptions>();
  /** Grows whenever what a new user gets changes. */
  private round = 0;
  private newest: AbortController | undefined;
  private changing: Promise<unknown> = Promise.resolve();
  private closed = false;

  constructor(
    private find: FindModel,
    private readonly host: InferenceHost = sharedHost(),
  ) {}

  /** Whether somebody runs the model. */
  get used(): boolean {
    return this.users.size > 0;
  }

  /**
   * A task for one user, who closes it. What could not be opened is tried anew by the next who asks.
   * @throws what finding and opening the model throws, EDGE_MODEL_GOLDEN, EDGE_SESSION_CLOSED
   */
  async task(options: TaskOptions = {}): Promise<Task> {
    for (;;) {
      this.refuseClosed();
      const { round } = this;
      try {
        const found = await this.look();
        const task = await this.open(found, options);
        if (this.closed || round !== this.round) await task.close();
        else return this.enter(found, task, options);
      } catch (thrown) {
        // Another model was chosen while this one was found or opened: its failure is nobody's.
        if (this.closed || round === this.round) throw thrown;
      }
    }
  }

  async manifest(): Promise<Manifest> {
    return (await this.look()).model.manifest;
  }

  /**
   * Find the model anew, or another one, and let every user go over to it. One change at a time, the newest wins.
   * @returns whether something changed: false for the very same model and options, and for a change that a newer one overtook.
   * @throws what finding or opening it throws, EDGE_MODEL_GOLDEN; all users then stay with the model they have.
   */
  change(find: FindModel = this.find): Promise<boolean> {
    this.refuseClosed();
    this.newest?.abort();
    if (!this.used) {
      // There is nothing to keep, and whoever waits for the model waits for the new one.
      this.find = find;
      this.inUse = undefined;
      this.found = undefined;
      this.round += 1;
      this.finding.abort();
      this.finding = new AbortController();
      return Promise.resolve(true);
    }
    const own = new AbortController();
    this.newest = own;
    const change = this.changing.then(() => this.exchange(find, own.signal));
    this.changing = change.catch(() => {});
    return change;
  }

  /** Give no more tasks and find nothing more; those that were given live until their users close them. */
  retire(): void {
    this.closed = true;
    this.newest?.abort();
    this.finding.abort();
  }

  /** Ends every task too. */
  async close(): Promise<void> {
    this.retire();
    await Promise.all([...this.users.keys()].map((task) => task.close()));
    this.users.clear();
  }

  private async exchange(find: FindModel, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    const opened = new Map<LiveTask, Task>();
    try {
      const found: Found = await find(signal);
      const same = this.inUse !== undefined && identityOf(found) === identityOf(this.inUse);
      if (!same) await this.openForAll(found, opened, signal);
      if (signal.aborted) throw signal.reason;
      this.find = find;
      if (same) return false;
      // From here to the end nothing waits: all users or none.
      this.found = Promise.resolve(found);
      this.inUse = found;
      this.round += 1;
      for (const [user, task] of opened) void this.hand(user, task);
      return true;
    } catch (thrown) {
      await Promise.all([...opened.values()].map((task) => task.close()));
      if (signal.aborted) return false;
      throw thrown;
    }
  }

  /** Users may come while others' tasks are opened. */
  private async openForAll(found: Found, opened: Map<LiveTask, Task>, signal: AbortSignal): Promise<void> {
    for (;;) {
      const [missing] = [...this.users].filter(([user]) => !opened.has(user));
      if (!missing || signal.aborted) return;
      opened.set(missing[0], await this.open(found, missing[1]));
    }
  }

  private hand(user: LiveTask, task: Task): Promise<unknown> {
    return this.users.has(user) ? user.change(async () => task) : task.close();
  }

  private async open(found: Found, options: TaskOptions): Promise<Task> {
    const task = await openTask(found.model, { ...found.options, ...options }, this.host);
    try {
      found.golden ??= checkGolden(found.model, found.options, this.host);
      await found.golden;
      return task;
    } catch (thrown) {
      delete found.golden;
      await task.close();
      throw thrown;
    }
  }

  private enter(found: Found, task: Task, options: TaskOptions): Task {
    const user = new LiveTask(task);
    this.users.set(user, options);
    this.inUse = found;
    return {
      get info() {
        return user.info;
      },
      get concurrency() {
        return user.concurrency;
      },
      run: (payload, signal) => user.run(payload, signal),
      close: () => {
        this.users.delete(user);
        return user.close();
      },
    };
  }

  private look(): Promise<Found> {
    this.refuseClosed();
    if (!this.found) {
      const found = this.find(this.finding.signal);
      this.found = found;
      found.catch(() => {
        // A failure is not kept.
        if (this.found === found) this.found = undefined;
      });
    }
    return this.found;
  }

  private refuseClosed(): void {
    if (this.closed) throw new EdgeError('EDGE_SESSION_CLOSED', 'the model is no longer part of the flows');
  }
}

function identityOf({ model: { manifest, sha256 }, options }: ChosenModel): string {
  return JSON.stringify([sha256, manifest, options]);
}

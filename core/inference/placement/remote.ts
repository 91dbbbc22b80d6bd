import { EdgeError } from '../../errors';
import type { Tensors } from '../backend';
import { defaultThreads } from '../backends/onnxruntime-node';
import { Backoff } from '../backoff';
import { checkFeeds } from '../input';
import { type Limits, limitsOf } from '../limits';
import {
  MOST_WAITING,
  type OpenSpec,
  type RunOrigin,
  type RunResult,
  type Session,
  type SessionInfo,
  type SessionStats,
} from '../session';
import { fromPlainError, type Measuring, monotonicMs, SLOTS } from '../wire';
import { type Death, deathOf, timedOut } from './death';
import { type EngineLife, type Ready, readyInTime, type Settled } from './life';
import { InferenceProcess } from './process';
import { InferenceThread } from './thread';

/** Most milliseconds for which runs wait for a restart; a longer pause refuses them, so that a flow hears of it and not only waits. */
const LONGEST_WAIT_MS = 5_000;

interface Job {
  feeds: Tensors;
  owner: object | undefined;
  calledAt: number;
  resolve(result: RunResult): void;
  reject(reason: unknown): void;
}

type RemotePlacement = 'worker' | 'process';

/** A life whose model is ready. */
export interface Begun {
  life: EngineLife;
  ready: Ready;
}

export interface RemoteOptions {
  placement: RemotePlacement;
  begun: Begun;
  /** Sentences for whoever looks after the model. */
  notes?: readonly string[];
  /** As in SessionInfo. */
  warnings?: readonly string[];
  /** Told of every end for which the model is to blame. */
  onDeath?: (death: Death) => void;
}

/**
 * A model outside of Node-RED's thread: in a thread or a process of its own. When that ends unexpectedly the run that it worked on
 * fails, and the others wait for the next one, which begins after a pause that grows with every failure. A run that does not end in
 * time is given up: the process is killed; a thread cannot be, so it is left, and the model goes on in a process.
 */
export class RemoteSession implements Session {
  readonly info: SessionInfo;
  private readonly waiting: Job[] = [];
  /** Runs that the present life was sent, oldest first. */
  private sent: Job[] = [];
  private readonly counts = { done: 0, failed: 0, restarts: 0 };
  private readonly backoff = new Backoff();
  private readonly limits: Limits;
  private life: EngineLife | undefined;
  /** Why there is no life, and from when on there may be another one (`performance.now()`). */
  private ended: { error: EdgeError; until: number } | undefined;
  private pause: NodeJS.Timeout | undefined;
  private opening: Promise<void> | undefined;
  /** Inputs that take more than one turn of the event loop are on their way. */
  private sending = false;
  /** Fires when the oldest run that was sent is over its time. */
  private overtime: NodeJS.Timeout | undefined;
  private closed: Promise<void> | undefined;

  constructor(
    private readonly spec: OpenSpec,
    private readonly options: RemoteOptions,
  ) {
    const { life, ready } = options.begun;
    this.info = {
      backend: spec.backend,
      engineVersion: ready.engineVersion,
      placement: options.placement,
      ...(ready.medianMs === undefined ? {} : { medianMs: ready.medianMs }),
      threads: spec.options.threads ?? defaultThreads(),
      notes: [...(options.notes ?? []), ...ready.notes],
      warnings: [...(options.warnings ?? [])],
      inputs: ready.inputs,
      outputs: ready.outputs,
    };
    this.limits = limitsOf(spec.limits, ready.medianMs);
    this.adopt(life);
  }

  run(feeds: Tensors, { owner, signal }: RunOrigin = {}): Promise<RunResult> {
    return new Promise((resolve, reject) => {
      const calledAt = monotonicMs();
      if (this.closed) throw new EdgeError('EDGE_SESSION_CLOSED');
      signal?.throwIfAborted();
      checkFeeds(feeds, this.info.inputs);
      const refusal = this.refusal();
      if (refusal) throw refusal;
      if (this.waiting.length >= MOST_WAITING) throw new EdgeError('EDGE_QUEUE_FULL', `${MOST_WAITING} runs wait for the model`);
      const job: Job = { feeds, owner, calledAt, resolve, reject };
      if (signal) this.withdrawOn(signal, job);
      this.waiting.push(job);
      this.pump();
    });
  }

  withdraw(owner: object): void {
    const theirs = this.waiting.filter((job) => job.owner === owner);
    for (const job of theirs) {
      this.waiting.splice(this.waiting.indexOf(job), 1);
      job.reject(new EdgeError('EDGE_SESSION_CLOSED'));
    }
  }

  stats(): SessionStats {
    const pid = this.life?.pid;
    return {
      waiting: this.waiting.length,
      running: this.sent.length,
      ...this.counts,
      ...(pid === undefined ? {} : { pid }),
    };
  }

  close(): Promise<void> {
    this.closed ??= this.end();
    return this.closed;
  }

  private async end(): Promise<void> {
    clearTimeout(this.pause);
    for (const job of this.waiting.splice(0)) job.reject(new EdgeError('EDGE_SESSION_CLOSED'));
    await this.opening;
    // It takes what it is sent in order: it stops after the runs before this.
    await this.life?.stop();
    this.life = undefined;
    clearTimeout(this.overtime);
    for (const job of this.sent.splice(0)) this.fail(job, new EdgeError('EDGE_SESSION_CLOSED', 'its run did not end in time'));
    for (const job of this.waiting.splice(0)) job.reject(new EdgeError('EDGE_SESSION_CLOSED'));
  }

  private withdrawOn(signal: AbortSignal, job: Job): void {
    const abort = () => {
      const at = this.waiting.indexOf(job);
      if (at >= 0) this.waiting.splice(at, 1);
      job.reject(signal.reason);
    };
    const { resolve, reject } = job;
    signal.addEventListener('abort', abort, { once: true });
    const settled = () => signal.removeEventListener('abort', abort);
    job.resolve = (result) => {
      settled();
      resolve(result);
    };
    job.reject = (reason) => {
      settled();
      reject(reason);
    };
  }

  private adopt(life: EngineLife): void {
    this.life = life;
    this.ended = undefined;
    life.keepAlive(false);
    life.onSettled = (message) => this.settle(message);
    void life.exited.then((error) => error && this.lose(life, error));
  }

  /** A life is over that nobody asked to end. */
  private lose(life: EngineLife, error: EdgeError): void {
    if (this.life !== life) return;
    this.life = undefined;
    clearTimeout(this.overtime);
    const [begun, ...rest] = this.sent.splice(0);
    // What was sent ahead had not begun: it is sent again, to the next one.
    this.waiting.unshift(...rest);
    this.remember(error);
    if (deathOf(error)?.cause === 'timeout' && this.info.placement === 'worker') this.moveToProcess();
    if (begun) this.fail(begun, error);
    this.rest(error);
    this.restart();
  }

  private moveToProcess(): void {
    this.info.placement = 'process';
    this.info.warnings.push(
      'A run in a thread did not come to an end: the thread is left behind, and the model goes on in a process of its own',
    );
  }

  private remember(error: unknown): void {
    const death = deathOf(error);
    if (death) this.options.onDeath?.(death);
  }

  /** After a failure nothing begins for a while. */
  private rest(error: EdgeError): void {
    this.ended = { error, until: performance.now() + this.backoff.pause() };
    const refusal = this.refusal();
    if (refusal) for (const job of this.waiting.splice(0)) this.fail(job, refusal);
  }

  /** Why a run need not wait: the next life is too far away. */
  private refusal(): EdgeError | undefined {
    if (this.life || !this.ended) return undefined;
    const { error, until } = this.ended;
    const left = until - performance.now();
    if (left <= LONGEST_WAIT_MS) return undefined;
    const found = `it is begun anew in ${Math.ceil(left / 1000)} s, after: ${error.message}`;
    return new EdgeError(error.code, found, { cause: error, retryAfter: Math.ceil(left) });
  }

  /** Begin anew when the pause is over. */
  private restart(): void {
    if (this.closed || this.life || this.opening || this.pause) return;
    const left = Math.max(0, (this.ended?.until ?? 0) - performance.now());
    this.pause = setTimeout(() => {
      this.pause = undefined;
      this.reopen();
    }, left);
    // Runs that wait keep a program alive, a restart ahead of the next run does not.
    if (this.waiting.length === 0) this.pause.unref();
  }

  private reopen(): void {
    const { placement } = this.info as { placement: RemotePlacement };
    const { medianMs } = this.info;
    // The first run of a life that follows a failure is the caller's: a made-up one may be what it died of.
    this.opening = begin(this.spec, placement, false, medianMs)
      .then(({ life }) => {
        this.counts.restarts += 1;
        this.adopt(life);
      })
      .catch((thrown: EdgeError) => {
        this.remember(thrown);
        for (const job of this.waiting.splice(0)) this.fail(job, thrown);
        this.rest(thrown);
      })
      .finally(() => {
        this.opening = undefined;
        this.pump();
      });
  }

  /** Give waiting jobs to the life. */
  private pump(): void {
    if (!this.life && this.waiting.length > 0) {
      this.restart();
      this.pause?.ref();
      return;
    }
    while (this.life && this.waiting.length > 0 && this.sent.length < SLOTS && !this.sending && !this.closed) {
      this.send(this.life, this.waiting.shift()!);
    }
  }

  private send(life: EngineLife, job: Job): void {
    if (this.sent.length === 0) {
      life.keepAlive(true);
      this.watch();
    }
    this.sent.push(job);
    const { inputs } = this.info;
    const slow = life.send(
      inputs,
      inputs.map(({ name }) => job.feeds[name]!),
    );
    if (!slow) return;
    this.sending = true;
    void slow.then(() => {
      this.sending = false;
      this.pump();
    });
  }

  private settle(message: Settled): void {
    const job = this.sent.shift();
    if (!job) return;
    this.pump();
    if (this.sent.length > 0) this.watch();
    else {
      clearTimeout(this.overtime);
      this.life?.keepAlive(false);
    }
    if (message.kind === 'failed') {
      this.fail(job, fromPlainError(message.error));
      return;
    }
    this.counts.done += 1;
    const { startedAt, runMs } = message;
    job.resolve({ outputs: Object.fromEntries(message.outputs), queueMs: startedAt - job.calledAt, runMs });
  }

  /** The oldest run that was sent begins now. */
  private watch(): void {
    clearTimeout(this.overtime);
    const { runMs } = this.limits;
    this.overtime = setTimeout(() => {
      const late = this.sent[0];
      // When Node-RED itself was held up, the result may be there and only not read yet.
      setImmediate(() => setImmediate(() => late && this.sent[0] === late && this.life?.abandon(timedOut('a run', runMs))));
    }, runMs);
    this.overtime.unref();
  }

  private fail(job: Job, error: unknown): void {
    this.counts.failed += 1;
    job.reject(error);
  }
}

/** Begin a life and wait until its model is ready; `onOpened` is called when it is open and not yet measured. */
export async function begin(
  spec: OpenSpec,
  placement: RemotePlacement,
  measuring: Measuring,
  medianMs?: number,
  onOpened: () => void = () => {},
): Promise<Begun> {
  const limits = limitsOf(spec.limits, medianMs);
  const life = placement === 'process' ? new InferenceProcess(spec, measuring, limits) : new InferenceThread(spec, measuring);
  void life.opened.then(onOpened);
  return { life, ready: await readyInTime(life, limits) };
}

import { setImmediate as nextTurn } from 'node:timers/promises';
import { EdgeError } from '../../errors';
import type { TensorData, TensorValue } from '../../message/tensor';
import type { Tensors } from '../backend';
import { defaultThreads } from '../backends/onnxruntime-node';
import { checkFeeds } from '../input';
import {
  MOST_WAITING,
  type OpenSpec,
  type RunOrigin,
  type RunResult,
  type Session,
  type SessionInfo,
  type SessionStats,
} from '../session';
import { SlotLayouts } from '../slot';
import { fromPlainError, monotonicMs, SLOTS } from '../wire';
import { InferenceThread, type Ready, type Settled } from './thread';

/** Bytes copied before the event loop gets a turn: about a millisecond. */
const COPY_BYTES = 4 * 2 ** 20;

interface Job {
  feeds: Tensors;
  owner: object | undefined;
  calledAt: number;
  resolve(result: RunResult): void;
  reject(reason: unknown): void;
}

/** A model in a thread of its own. When the thread ends unexpectedly its runs fail and the next run opens a new one. */
export class WorkerSession implements Session {
  readonly info: SessionInfo;
  private readonly waiting: Job[] = [];
  /** Runs that the thread was asked for, oldest first. */
  private sent: Job[] = [];
  private readonly layouts: SlotLayouts;
  private slots: SharedArrayBuffer[] = [];
  /** Runs that the present thread was asked for, since it began. */
  private count = 0;
  private readonly counts = { done: 0, failed: 0 };
  private thread: InferenceThread | undefined;
  private opening: Promise<void> | undefined;
  private copying = false;
  private closed: Promise<void> | undefined;

  /** @throws what the backend's `open` throws, EDGE_RUNTIME_MISSING, EDGE_WORKER_EXITED */
  static async open(spec: OpenSpec): Promise<{ session: WorkerSession; ready: Ready }> {
    const thread = new InferenceThread(spec);
    const ready = await thread.ready;
    return { session: new WorkerSession(spec, thread, ready), ready };
  }

  private constructor(
    private readonly spec: OpenSpec,
    thread: InferenceThread,
    ready: Ready,
  ) {
    this.info = {
      backend: spec.backend,
      engineVersion: ready.engineVersion,
      placement: 'worker',
      ...(ready.medianMs === undefined ? {} : { medianMs: ready.medianMs }),
      threads: spec.options.threads ?? defaultThreads(),
      notes: [...ready.notes],
      inputs: ready.inputs,
      outputs: ready.outputs,
    };
    this.layouts = new SlotLayouts(ready.inputs);
    this.adopt(thread);
  }

  run(feeds: Tensors, { owner, signal }: RunOrigin = {}): Promise<RunResult> {
    return new Promise((resolve, reject) => {
      const calledAt = monotonicMs();
      if (this.closed) throw new EdgeError('EDGE_SESSION_CLOSED');
      signal?.throwIfAborted();
      checkFeeds(feeds, this.info.inputs);
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
    return { waiting: this.waiting.length, running: this.sent.length, ...this.counts };
  }

  close(): Promise<void> {
    this.closed ??= this.end();
    return this.closed;
  }

  private async end(): Promise<void> {
    for (const job of this.waiting.splice(0)) job.reject(new EdgeError('EDGE_SESSION_CLOSED'));
    await this.opening;
    // The thread takes its messages in order: it stops after the runs that it was sent.
    await this.thread?.stop();
    this.thread = undefined;
    this.failRuns(new EdgeError('EDGE_SESSION_CLOSED', 'its run did not end in time'));
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

  private adopt(thread: InferenceThread): void {
    this.thread = thread;
    this.slots = [];
    this.count = 0;
    thread.keepAlive(false);
    thread.onSettled = (message) => this.settle(message);
    void thread.exited.then((error) => {
      if (!error) return;
      this.thread = undefined;
      this.failRuns(error);
      this.pump();
    });
  }

  private reopen(): void {
    this.opening ??= (async () => {
      const thread = new InferenceThread(this.spec);
      try {
        await thread.ready;
        this.adopt(thread);
      } catch (error) {
        for (const job of this.waiting.splice(0)) this.fail(job, error);
      }
    })().finally(() => {
      this.opening = undefined;
      this.pump();
    });
  }

  /** Give waiting jobs to free slots. */
  private pump(): void {
    while (this.waiting.length > 0 && this.sent.length < SLOTS && !this.copying && !this.closed) {
      if (!this.thread) {
        this.reopen();
        return;
      }
      this.send(this.thread, this.waiting.shift()!);
    }
  }

  private send(thread: InferenceThread, job: Job): void {
    if (this.sent.length === 0) thread.keepAlive(true);
    this.sent.push(job);
    const slot = this.count++ % SLOTS;
    const values = this.info.inputs.map(({ name }) => job.feeds[name]!);
    const shapes = values.map(({ shape }) => shape);
    const { offsets, byteLength } = this.layouts.of(shapes);
    let memory = this.slots[slot];
    if (!memory || memory.byteLength < byteLength) {
      memory = new SharedArrayBuffer(byteLength);
      this.slots[slot] = memory;
      thread.lend(slot, memory);
    }
    this.layouts.write(memory, shapes);
    if (byteLength > COPY_BYTES) {
      void this.copySlowly(thread, values, memory, offsets);
      return;
    }
    values.forEach(({ data }, index) => {
      new Uint8Array(memory, offsets[index]).set(bytesOf(data));
    });
    thread.run();
  }

  private async copySlowly(
    thread: InferenceThread,
    values: readonly TensorValue[],
    memory: SharedArrayBuffer,
    offsets: readonly number[],
  ): Promise<void> {
    this.copying = true;
    for (const [index, { data }] of values.entries()) {
      const source = bytesOf(data);
      const target = new Uint8Array(memory, offsets[index]);
      for (let from = 0; from < source.byteLength; from += COPY_BYTES) {
        target.set(source.subarray(from, from + COPY_BYTES), from);
        await nextTurn();
      }
    }
    thread.run();
    this.copying = false;
    this.pump();
  }

  private settle(message: Settled): void {
    const job = this.sent.shift();
    if (!job) return;
    this.pump();
    if (this.sent.length === 0) this.thread?.keepAlive(false);
    if (message.kind === 'failed') {
      this.fail(job, fromPlainError(message.error));
      return;
    }
    this.counts.done += 1;
    const { startedAt, runMs } = message;
    job.resolve({ outputs: Object.fromEntries(message.outputs), queueMs: startedAt - job.calledAt, runMs });
  }

  private failRuns(error: EdgeError): void {
    for (const job of this.sent.splice(0)) this.fail(job, error);
  }

  private fail(job: Job, error: unknown): void {
    this.counts.failed += 1;
    job.reject(error);
  }
}

function bytesOf(data: TensorData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { EdgeError } from '../../errors';
import { guardExit } from '../exit-guard';
import type { OpenSpec } from '../session';
import { CONTROL, type FromWorker, fromPlainError, type SlotMessage, type WorkerStart } from '../wire';
import { within } from '../within';

export type Ready = FromWorker & { kind: 'ready' };
export type Settled = FromWorker & { kind: 'done' | 'failed' };

const SCRIPT = join(__dirname, '..', 'worker.js');

/**
 * A worker's JavaScript is small: it holds descriptions, the bytes are outside its heap. The limits, in megabytes, keep its share
 * of the process's memory small and turn a runaway into EDGE_WORKER_EXITED.
 */
const LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4 };

/** Milliseconds that a thread gets to end; a close handler of Node-RED has 15 s in all. */
const STOP_MS = 12_000;

/** One life of a worker thread with one opened model. */
export class InferenceThread {
  readonly ready: Promise<Ready>;
  /** Resolves when the thread is gone, with the reason unless it was asked to stop. Never rejects. */
  readonly exited: Promise<EdgeError | undefined>;
  onSettled: (message: Settled) => void = () => {};
  private readonly control = new Int32Array(new SharedArrayBuffer(CONTROL.LENGTH * Int32Array.BYTES_PER_ELEMENT));
  private readonly worker: Worker;
  private stopping = false;

  constructor({ path, backend, options }: OpenSpec) {
    // From its first moment: it loads the engine before it could say so.
    this.control[CONTROL.BUSY] = 1;
    const workerData: WorkerStart = { backend, path, options, control: this.control };
    this.worker = new Worker(SCRIPT, { name: 'edgeloom-inference', workerData, resourceLimits: LIMITS, execArgv: [] });
    const unguard = guardExit(this.control);
    let failure: unknown;
    this.worker.on('error', (error) => {
      failure = error;
    });
    this.exited = new Promise((resolve) => {
      this.worker.on('exit', (code) => {
        unguard();
        resolve(this.stopping ? undefined : exitError(code, failure));
      });
    });
    this.ready = new Promise((resolve, reject) => {
      this.worker.on('message', (message: FromWorker) => {
        if (message.kind === 'ready') resolve(message);
        else if (message.kind === 'refused') reject(fromPlainError(message.error));
        else this.onSettled(message);
      });
      this.exited.then((error) => reject(error ?? new EdgeError('EDGE_SESSION_CLOSED')));
    });
    // Whoever waits for it sees the error; nobody has to.
    this.ready.catch(() => {});
  }

  /** Give the thread a slot's memory; its next run in that slot must be asked for with `run`. */
  lend(slot: number, memory: SharedArrayBuffer): void {
    const message: SlotMessage = { slot, memory };
    this.worker.postMessage(message);
    Atomics.store(this.control, CONTROL.SLOT_BYTES + slot, memory.byteLength);
  }

  /** Ask for a run on what lies in the next slot. */
  run(): void {
    Atomics.add(this.control, CONTROL.SENT, 1);
    Atomics.notify(this.control, CONTROL.SENT);
  }

  /** An idle thread does not keep a finished program alive, a busy one does. */
  keepAlive(busy: boolean): void {
    if (busy) this.worker.ref();
    else this.worker.unref();
  }

  /** Ask the thread to end after what it was sent before, and wait for it. It is never terminated: see exit-guard. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.keepAlive(true);
    Atomics.store(this.control, CONTROL.STOP, 1);
    this.run();
    await within(STOP_MS, this.exited);
    this.keepAlive(false);
  }
}

function exitError(code: number, failure: unknown): EdgeError {
  const reason = failure instanceof Error ? failure.message : `it exited with ${code}`;
  return new EdgeError('EDGE_WORKER_EXITED', reason, { cause: failure, retryAfter: 1000 });
}

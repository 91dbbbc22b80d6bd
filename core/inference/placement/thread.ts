import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { EdgeError } from '../../errors';
import type { TensorInfo, TensorValue } from '../../message/tensor';
import { guardExit } from '../exit-guard';
import { bytesOf } from '../pipe';
import type { OpenSpec } from '../session';
import { SlotLayouts } from '../slot';
import { CONTROL, type FromWorker, fromPlainError, type Measuring, SLOTS, type SlotMessage, type WorkerStart } from '../wire';
import { within } from '../within';
import type { EngineLife, Ready, Settled } from './life';

const SCRIPT = join(__dirname, '..', 'worker.js');

/**
 * A worker's JavaScript is small: it holds descriptions, the bytes are outside its heap. The limits, in megabytes, keep its share
 * of the process's memory small and turn a runaway into EDGE_WORKER_EXITED.
 */
const LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4 };

/** Milliseconds that a thread gets to end; a close handler of Node-RED has 15 s in all. */
const STOP_MS = 12_000;

/** Bytes copied before the event loop gets a turn: about a millisecond. */
const COPY_BYTES = 4 * 2 ** 20;

let hung = 0;

/** Threads of this process that were given up inside the engine and have not come back. */
export function hungThreads(): number {
  return hung;
}

/** One life of a worker thread with one opened model. */
export class InferenceThread implements EngineLife {
  readonly opened: Promise<void>;
  readonly ready: Promise<Ready>;
  readonly exited: Promise<EdgeError | undefined>;
  onSettled: (message: Settled) => void = () => {};
  private readonly control = new Int32Array(new SharedArrayBuffer(CONTROL.LENGTH * Int32Array.BYTES_PER_ELEMENT));
  private readonly worker: Worker;
  private readonly guard: ReturnType<typeof guardExit>;
  private readonly slots: SharedArrayBuffer[] = [];
  private layouts: SlotLayouts | undefined;
  /** Runs that it was asked for. */
  private count = 0;
  private stopping = false;
  private giveUp: (error: EdgeError) => void = () => {};

  constructor({ path, backend, options }: OpenSpec, measuring: Measuring) {
    // From its first moment: it loads the engine before it could say so.
    this.control[CONTROL.BUSY] = 1;
    const workerData: WorkerStart = { backend, path, options, measuring, control: this.control };
    this.worker = new Worker(SCRIPT, { name: 'edgeloom-inference', workerData, resourceLimits: LIMITS, execArgv: [] });
    this.guard = guardExit(this.control);
    let failure: unknown;
    this.worker.on('error', (error) => {
      failure = error;
    });
    this.exited = new Promise((resolve) => {
      this.giveUp = resolve;
      this.worker.on('exit', (code) => {
        this.guard.end();
        resolve(this.stopping ? undefined : exitError(code, failure));
      });
    });
    let open = () => {};
    this.opened = new Promise((resolve) => {
      open = resolve;
    });
    this.ready = new Promise((resolve, reject) => {
      this.worker.on('message', (message: FromWorker) => {
        if (message.kind === 'opened') open();
        else if (message.kind === 'ready') resolve(message);
        else if (message.kind === 'refused') reject(fromPlainError(message.error));
        else this.onSettled(message);
      });
      this.exited.then((error) => reject(error ?? new EdgeError('EDGE_SESSION_CLOSED')));
    });
    // Whoever waits for it sees the error; nobody has to.
    this.ready.catch(() => {});
  }

  send(inputs: readonly TensorInfo[], values: readonly TensorValue[]): Promise<void> | undefined {
    this.layouts ??= new SlotLayouts(inputs);
    const slot = this.count++ % SLOTS;
    const shapes = values.map(({ shape }) => shape);
    const { offsets, byteLength } = this.layouts.of(shapes);
    const memory = this.slotOf(slot, byteLength);
    this.layouts.write(memory, shapes);
    if (byteLength > COPY_BYTES) return this.copySlowly(values, memory, offsets);
    values.forEach(({ data }, index) => {
      new Uint8Array(memory, offsets[index]).set(bytesOf(data));
    });
    this.run();
    return undefined;
  }

  keepAlive(busy: boolean): void {
    if (busy) this.worker.ref();
    else this.worker.unref();
  }

  /** It is never terminated: see exit-guard. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.keepAlive(true);
    this.askToStop();
    await within(STOP_MS, this.exited);
    this.keepAlive(false);
  }

  abandon(error: EdgeError): void {
    hung += 1;
    this.onSettled = () => {};
    this.guard.giveUp();
    this.worker.on('exit', () => {
      hung -= 1;
    });
    // Should it ever come back, it has nothing to do any more.
    this.askToStop();
    this.keepAlive(false);
    this.giveUp(error);
  }

  /** The slot's memory, which the thread is given anew when it must be larger. */
  private slotOf(slot: number, byteLength: number): SharedArrayBuffer {
    const present = this.slots[slot];
    if (present && present.byteLength >= byteLength) return present;
    const memory = new SharedArrayBuffer(byteLength);
    this.slots[slot] = memory;
    const message: SlotMessage = { slot, memory };
    this.worker.postMessage(message);
    Atomics.store(this.control, CONTROL.SLOT_BYTES + slot, memory.byteLength);
    return memory;
  }

  private async copySlowly(values: readonly TensorValue[], memory: SharedArrayBuffer, offsets: readonly number[]): Promise<void> {
    for (const [index, { data }] of values.entries()) {
      const source = bytesOf(data);
      const target = new Uint8Array(memory, offsets[index]);
      for (let from = 0; from < source.byteLength; from += COPY_BYTES) {
        target.set(source.subarray(from, from + COPY_BYTES), from);
        await nextTurn();
      }
    }
    this.run();
  }

  /** Ask for a run on what lies in the next slot. */
  private run(): void {
    Atomics.add(this.control, CONTROL.SENT, 1);
    Atomics.notify(this.control, CONTROL.SENT);
  }

  private askToStop(): void {
    Atomics.store(this.control, CONTROL.STOP, 1);
    this.run();
  }
}

function exitError(code: number, failure: unknown): EdgeError {
  const reason = failure instanceof Error ? failure.message : `it exited with ${code}`;
  return new EdgeError('EDGE_WORKER_EXITED', reason, { cause: failure, retryAfter: 1000 });
}

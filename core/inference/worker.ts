import { availableParallelism } from 'node:os';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { asEdgeError, EdgeError } from '../errors';
import { ELEMENT_ARRAYS, elementCount, type TensorInfo, type TensorValue } from '../message/tensor';
import type { BackendSession, Tensors } from './backend';
import { findBackend } from './backends';
import { allFinite } from './finite';
import { measure } from './measure';
import { CONTROL, type FromWorker, monotonicMs, slotLayout, type ToWorker, toPlainError, type WorkerStart } from './wire';

/**
 * The thread of one session. It sleeps on a word of shared memory instead of in its event loop, which wakes faster, and ends by
 * returning: nobody terminates it, since a thread that is ended inside the engine takes the process with it.
 */

/**
 * A flow that sends the next input as soon as it has a result does so some 50 us later, and waking a sleeping thread takes as
 * long again. So the thread looks at the word for this long before it sleeps, but only while inputs do come that quickly.
 */
const LOOK_MS = 0.15;

const { backend: backendId, path, options, control } = workerData as WorkerStart;
const port = parentPort!;
const mayLook = availableParallelism() > 1;
const slots: SharedArrayBuffer[] = [];
const staging: Uint8Array[] = [];
let handled = 0;
let lastGapMs = Number.POSITIVE_INFINITY;

void main();

async function main(): Promise<void> {
  const session = await open();
  if (!session) return;
  for (;;) {
    const message = nextMessage();
    if (message.kind === 'slot') slots[message.slot] = message.memory;
    else if (message.kind === 'run') await run(session, message);
    else break;
  }
  await inEngine(() => session.release());
}

async function open(): Promise<BackendSession | undefined> {
  try {
    return await inEngine(async () => {
      const backend = findBackend(backendId);
      const { version } = await backend.load();
      const session = await backend.open(path, options);
      const { medianMs, batchable } = await measure(session);
      const { inputs, outputs } = session;
      post({ kind: 'ready', engineVersion: version, inputs, outputs, medianMs, batchable });
      return session;
    });
  } catch (thrown) {
    post({ kind: 'refused', error: toPlainError(asEdgeError(thrown, 'EDGE_RUNTIME_FAILED')) });
    return undefined;
  }
}

async function run(session: BackendSession, { id, slot, shapes }: ToWorker & { kind: 'run' }): Promise<void> {
  try {
    const feeds = stage(session.inputs, slots[slot]!, shapes);
    for (const [name, value] of Object.entries(feeds)) {
      if (!allFinite(value)) throw new EdgeError('EDGE_INPUT_NOT_FINITE', `the input ${name} holds NaN or Infinity`);
    }
    const startedAt = monotonicMs();
    const results = await inEngine(() => session.run(feeds));
    const runMs = monotonicMs() - startedAt;
    const outputs = Object.entries(results);
    for (const [name, value] of outputs) {
      if (!allFinite(value)) throw new EdgeError('EDGE_MODEL_OUTPUT_NOT_FINITE', `the output ${name} holds NaN or Infinity`);
    }
    const buffers = new Set(outputs.map(([, value]) => value.data.buffer as ArrayBuffer));
    post({ kind: 'done', id, outputs, startedAt, runMs }, [...buffers]);
  } catch (thrown) {
    post({ kind: 'failed', id, error: toPlainError(asEdgeError(thrown, 'EDGE_RUNTIME_FAILED')) });
  }
}

/**
 * The inputs of a slot in memory of this thread: the engine refuses shared memory on Node.js 20, and the slot must be free for
 * the next input while this one runs.
 */
function stage(inputs: readonly TensorInfo[], slot: SharedArrayBuffer, shapes: readonly (readonly number[])[]): Tensors {
  const byteLengths = inputs.map(({ type }, index) => elementCount(shapes[index]!) * ELEMENT_ARRAYS[type].BYTES_PER_ELEMENT);
  const { offsets } = slotLayout(byteLengths);
  const feeds: Tensors = {};
  inputs.forEach(({ name, type }, index) => {
    const length = byteLengths[index]!;
    let memory = staging[index];
    if (!memory || memory.byteLength < length) {
      memory = new Uint8Array(length);
      staging[index] = memory;
    }
    memory.set(new Uint8Array(slot, offsets[index]!, length));
    const shape = shapes[index]!;
    const data = new ELEMENT_ARRAYS[type](memory.buffer as ArrayBuffer, 0, elementCount(shape));
    feeds[name] = { type, shape, data } as TensorValue;
  });
  return feeds;
}

/** Do something inside the engine, said to the owner, who does not let the process exit meanwhile. */
async function inEngine<T>(action: () => Promise<T>): Promise<T> {
  Atomics.store(control, CONTROL.BUSY, 1);
  // In this order, and the owner the other way round: either it sees that this is busy, or this sees that it exits.
  if (Atomics.load(control, CONTROL.EXITING) === 1) {
    leaveEngine();
    // The process is gone in a moment, and this thread with it.
    Atomics.wait(control, CONTROL.EXITING, 1);
  }
  try {
    return await action();
  } finally {
    leaveEngine();
  }
}

function leaveEngine(): void {
  Atomics.store(control, CONTROL.BUSY, 0);
  Atomics.notify(control, CONTROL.BUSY);
}

function nextMessage(): ToWorker {
  const since = monotonicMs();
  if (Atomics.load(control, CONTROL.SENT) === handled) {
    if (mayLook && lastGapMs < LOOK_MS) look(since + LOOK_MS);
    Atomics.wait(control, CONTROL.SENT, handled);
    lastGapMs = monotonicMs() - since;
  }
  handled = (handled + 1) | 0;
  // A message is put into the queue before its number is raised.
  return receiveMessageOnPort(port)!.message as ToWorker;
}

function look(until: number): void {
  while (Atomics.load(control, CONTROL.SENT) === handled && monotonicMs() < until);
}

function post(message: FromWorker, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}

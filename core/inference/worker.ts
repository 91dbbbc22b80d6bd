import { availableParallelism } from 'node:os';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { asEdgeError, EdgeError } from '../errors';
import type { BackendSession } from './backend';
import { findBackend } from './backends';
import { holdsNaN } from './finite';
import { measureAs } from './measure';
import { InputMemory } from './slot';
import { CONTROL, type FromWorker, monotonicMs, SLOTS, type SlotMessage, toPlainError, type WorkerStart } from './wire';

/**
 * The thread of one session. It sleeps on a word of shared memory instead of in its event loop, which wakes faster, and ends by
 * returning: nobody terminates it, since a thread that is ended inside the engine takes the process with it.
 */

/**
 * A flow that sends the next input as soon as it has a result does so some 50 us later, and waking a sleeping thread takes as
 * long again. So the thread looks at the word for this long before it sleeps, but only while inputs do come that quickly.
 */
const LOOK_MS = 0.15;

const { backend: backendId, path, options, measuring, control } = workerData as WorkerStart;
const port = parentPort!;
const mayLook = availableParallelism() > 1;
const slots: SharedArrayBuffer[] = [];
let handled = 0;
let lastGapMs = Number.POSITIVE_INFINITY;

void main();

async function main(): Promise<void> {
  const session = await open();
  if (!session) return;
  const memory = new InputMemory(session.inputs);
  while (waitForRun()) {
    const slot = nextSlot();
    await run(session, memory, slot);
    handled = (handled + 1) | 0;
    if (session.broken) process.exit(1);
  }
  await inEngine(() => session.release());
}

async function open(): Promise<BackendSession | undefined> {
  try {
    return await inEngine(async () => {
      const backend = findBackend(backendId);
      const { version } = await backend.load();
      const session = await backend.open(path, options);
      post({ kind: 'opened' });
      const { medianMs, batchable } = await measureAs(measuring, session);
      const { inputs, outputs, notes = [] } = session;
      post({ kind: 'ready', engineVersion: version, inputs, outputs, medianMs, batchable, notes });
      return session;
    });
  } catch (thrown) {
    post({ kind: 'refused', error: toPlainError(asEdgeError(thrown, 'EDGE_RUNTIME_FAILED')) });
    return undefined;
  }
}

async function run(session: BackendSession, memory: InputMemory, slot: SharedArrayBuffer): Promise<void> {
  try {
    const feeds = memory.fromSlot(slot);
    const startedAt = monotonicMs();
    const results = await inEngine(() => session.run(feeds));
    const runMs = monotonicMs() - startedAt;
    const outputs = Object.entries(results);
    for (const [name, value] of outputs) {
      if (holdsNaN(value)) throw new EdgeError('EDGE_MODEL_OUTPUT_NOT_FINITE', `the output ${name}`);
    }
    const buffers = new Set(outputs.map(([, value]) => value.data.buffer as ArrayBuffer));
    post({ kind: 'done', outputs, startedAt, runMs }, [...buffers]);
  } catch (thrown) {
    post({ kind: 'failed', error: toPlainError(asEdgeError(thrown, 'EDGE_RUNTIME_FAILED')) });
  }
}

/** The memory of the slot in which the next run lies. */
function nextSlot(): SharedArrayBuffer {
  const slot = handled & (SLOTS - 1);
  while (slots[slot]?.byteLength !== Atomics.load(control, CONTROL.SLOT_BYTES + slot)) {
    // A message is in the port's queue before the word changes.
    const { message } = receiveMessageOnPort(port) as { message: SlotMessage };
    slots[message.slot] = message.memory;
  }
  return slots[slot]!;
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

/** Sleeps until a run is asked for, or the end: false. */
function waitForRun(): boolean {
  if (Atomics.load(control, CONTROL.SENT) === handled) {
    const since = monotonicMs();
    if (mayLook && lastGapMs < LOOK_MS) look(since + LOOK_MS);
    Atomics.wait(control, CONTROL.SENT, handled);
    lastGapMs = monotonicMs() - since;
  } else lastGapMs = 0;
  const last = Atomics.load(control, CONTROL.SENT) === ((handled + 1) | 0);
  return !(last && Atomics.load(control, CONTROL.STOP) === 1);
}

function look(until: number): void {
  while (Atomics.load(control, CONTROL.SENT) === handled && monotonicMs() < until);
}

function post(message: FromWorker, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}

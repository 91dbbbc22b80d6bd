import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { asEdgeError, EdgeError } from '../errors';
import type { BackendSession } from './backend';
import { findBackend } from './backends';
import { holdsNaN } from './finite';
import { measureAs } from './measure';
import { type OpenMessage, OwnersPipe } from './pipe';
import { InputMemory } from './slot';
import { monotonicMs, toPlainError } from './wire';

/**
 * The process of one session. It reads a message, does what it says, and reads the next, one thing after another; a thread beside it
 * watches over its memory and over the life of its owner, for both may need it ended while it is inside the engine.
 */

/** On Linux the system, when it is out of memory, ends what has most of this first, from -1000 to 1000: this, and not Node-RED. */
const OOM_SCORE = '800';

const pipe = new OwnersPipe();

void main();

async function main(): Promise<void> {
  const start = pipe.read();
  if (start?.kind !== 'open') process.exit(0);
  watch(start.memoryBytes);
  // Ctrl-C and a service manager's signals reach the whole group: it is the owner who says when this ends.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  process.title = 'edgeloom-inference';
  const session = await open(start);
  if (session) {
    await work(session);
    await session.release();
  }
  process.exit(0);
}

function watch(memoryBytes: number): void {
  if (process.platform === 'linux') {
    try {
      writeFileSync('/proc/self/oom_score_adj', OOM_SCORE);
    } catch {
      // Some containers do not let it; then the system chooses by itself.
    }
  }
  const thread = new Worker(join(__dirname, 'child-watch.js'), { workerData: { memoryBytes }, execArgv: [] });
  thread.unref();
}

async function open({ backend: id, path, options, measuring }: OpenMessage): Promise<BackendSession | undefined> {
  try {
    const backend = findBackend(id);
    const { version } = await backend.load();
    const session = await backend.open(path, options);
    pipe.write({ kind: 'opened' });
    const { medianMs, batchable } = await measureAs(measuring, session);
    const { inputs, outputs, notes = [] } = session;
    pipe.write({ kind: 'ready', engineVersion: version, inputs, outputs, medianMs, batchable, notes });
    return session;
  } catch (thrown) {
    pipe.write({ kind: 'refused', error: toPlainError(asEdgeError(thrown, 'EDGE_RUNTIME_FAILED')) });
    return undefined;
  }
}

/** Until it is told to stop, or its owner is gone. */
async function work(session: BackendSession): Promise<void> {
  const memory = new InputMemory(session.inputs);
  for (let message = pipe.read(); message?.kind === 'run'; message = pipe.read()) {
    await run(session, memory, message.shapes);
    if (session.broken) process.exit(1);
  }
}

async function run(session: BackendSession, memory: InputMemory, shapes: readonly (readonly number[])[]): Promise<void> {
  try {
    const feeds = memory.fromStream(shapes, (target) => {
      if (!pipe.readInto(target)) process.exit(0);
    });
    const startedAt = monotonicMs();
    const results = await session.run(feeds);
    const runMs = monotonicMs() - startedAt;
    const outputs = Object.entries(results);
    for (const [name, value] of outputs) {
      if (holdsNaN(value)) throw new EdgeError('EDGE_MODEL_OUTPUT_NOT_FINITE', `the output ${name}`);
    }
    pipe.write({ kind: 'done', outputs, startedAt, runMs });
  } catch (thrown) {
    pipe.write({ kind: 'failed', error: toPlainError(asEdgeError(thrown, 'EDGE_RUNTIME_FAILED')) });
  }
}

import { availableParallelism } from 'node:os';
import { defaultThreads } from '../backends/onnxruntime-node';
import type { OpenSpec } from '../session';
import type { Ready } from './thread';
import { WorkerSession } from './worker';

/** Milliseconds of a run from which on it is worth a second measurement with every core, also the one left to Node-RED. */
const SLOW_MS = 20;

/** How many times as fast a run must be for the core that it takes from everything else. */
const WORTH = 1.3;

interface Choice {
  threads: number;
  note?: string;
}

/** What was measured in this process, by model and backend, so that a model that is opened again is not measured again. */
const choices = new Map<string, Choice>();

/** Open a model in a worker with as many threads as it was given, or as serve it best on this machine. */
export async function openWorker(spec: OpenSpec): Promise<{ session: WorkerSession; ready: Ready }> {
  if (spec.options.threads !== undefined) return WorkerSession.open(spec);
  const key = `${spec.backend} ${spec.sha256}`;
  const chosen = choices.get(key);
  if (chosen) return opened(spec, chosen);
  const few = await opened(spec, { threads: defaultThreads() });
  const more = Math.min(4, availableParallelism());
  const { medianMs } = few.ready;
  if (medianMs === undefined || medianMs < SLOW_MS || more <= defaultThreads()) return few;
  // One after the other, never side by side: two copies of a large model are more than a small computer has room for.
  await few.session.close();
  const many = await opened(spec, { threads: more }).catch(() => undefined);
  const choice: Choice = { threads: defaultThreads() };
  choices.set(key, choice);
  if (many) {
    const manyMs = many.ready.medianMs ?? Number.POSITIVE_INFINITY;
    choice.note = `With ${more} threads a run takes ${manyMs.toFixed(1)} ms, with ${defaultThreads()} ${medianMs.toFixed(1)} ms`;
    if (medianMs / manyMs >= WORTH) {
      choice.threads = more;
      many.session.info.notes.push(choice.note);
      return many;
    }
    await many.session.close();
  }
  return opened(spec, choice);
}

async function opened(spec: OpenSpec, { threads, note }: Choice): Promise<{ session: WorkerSession; ready: Ready }> {
  const result = await WorkerSession.open({ ...spec, options: { ...spec.options, threads } });
  if (note !== undefined) result.session.info.notes.push(note);
  return result;
}

import { availableParallelism } from 'node:os';
import type { EdgeError } from '../../errors';
import { defaultThreads } from '../backends/onnxruntime-node';
import { limitsOf } from '../limits';
import { isFixed } from '../measure';
import type { OpenSpec } from '../session';
import type { Failed, Trial } from '../trials';
import { deathOf } from './death';
import type { Ready } from './life';
import { type Begun, begin } from './remote';

/** Milliseconds of a run from which on it is worth a second measurement with every core, also the one left to Node-RED. */
const SLOW_MS = 20;

/** How many times as fast a run must be for the core that it takes from everything else. */
const WORTH = 1.3;

/** Milliseconds under which a run is cheaper than the way to another thread and back. */
const TINY_MS = 0.3;

/** How a trial went. */
export interface Tried {
  trial: Trial;
  /** The process of one that passed, still there, unless another number of threads was better at last. */
  begun?: Begun;
  /** Of one that failed. */
  error?: EdgeError;
}

/** Whether a model is tiny for every input that it may get: of fixed shapes, or made of independent rows. */
export function isTiny({ medianMs, batchable, inputs }: Ready): boolean {
  return medianMs !== undefined && medianMs < TINY_MS && (batchable || isFixed(inputs));
}

/**
 * Open a model in a process and run it on made-up inputs, with as many threads as it was given, or as serve it best on this machine.
 * @param failures how often it failed before.
 * @throws what the model is refused for, and EDGE_WORKER_EXITED where no process can be had: neither says how the model is.
 */
export async function tryOut(spec: OpenSpec, failures: number): Promise<Tried> {
  const few = await attempt(spec, spec.options.threads ?? defaultThreads(), failures);
  const more = Math.min(4, availableParallelism());
  if (few.trial.verdict === 'failed' || spec.options.threads !== undefined || more <= defaultThreads()) return few;
  const { medianMs } = few.trial.measurement;
  if (medianMs === undefined || medianMs < SLOW_MS) return few;
  // One after the other, never side by side: two copies of a large model are more than a small computer has room for.
  await few.begun?.life.stop();
  const many = await attempt(spec, more, failures).catch(() => undefined);
  if (many?.trial.verdict !== 'passed') return { trial: few.trial };
  const manyMs = many.trial.measurement.medianMs ?? Number.POSITIVE_INFINITY;
  const note = `With ${more} threads a run takes ${manyMs.toFixed(1)} ms, with ${defaultThreads()} ${medianMs.toFixed(1)} ms`;
  if (medianMs / manyMs >= WORTH) return { ...many, trial: { ...many.trial, note } };
  await many.begun?.life.stop();
  return { trial: { ...few.trial, note } };
}

async function attempt(spec: OpenSpec, threads: number, failures: number): Promise<Tried> {
  let stage: Failed['stage'] = 'opening';
  const opened = () => {
    stage = 'running';
  };
  try {
    const begun = await begin({ ...spec, options: { ...spec.options, threads } }, 'process', true, undefined, opened);
    const { medianMs, batchable } = begun.ready;
    const measurement = { medianMs, batchable };
    const tiny = isTiny(begun.ready);
    return { trial: { verdict: 'passed', measurement, tiny, threads, failures, at: Date.now() }, begun };
  } catch (thrown) {
    const death = deathOf(thrown);
    if (!death) throw thrown;
    const trial: Failed = {
      verdict: 'failed',
      stage,
      ...death,
      limits: limitsOf(spec.limits),
      failures: failures + 1,
      at: Date.now(),
    };
    return { trial, error: thrown as EdgeError };
  }
}

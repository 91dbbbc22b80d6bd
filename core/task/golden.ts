import { asEdgeError, EdgeError } from '../errors';
import type { InferenceHost } from '../inference/host';
import type { Box, ClassArea, ClassScore, Detection, Result } from '../message/results';
import { isTensor, tensorValue } from '../message/tensor';
import { GOLDEN_TOLERANCE, type GoldenSample, goldenPayload } from '../model/golden';
import type { ResolvedModel } from '../model/manifest';
import { openTask } from './index';
import type { TaskOptions } from './task';

type Tolerance = typeof GOLDEN_TOLERANCE;
type ClassValue = Pick<ClassScore, 'label'> & Partial<Pick<ClassScore, 'score'> & Pick<ClassArea, 'share'>>;

/**
 * Try a model on the samples of its manifest. Its session is shared with the tasks of the same model, placement and threads;
 * labels and thresholds of users play no part.
 * @throws EDGE_MODEL_GOLDEN naming the sample and what differs, EDGE_SHARP_MISSING, or what opening the model throws.
 */
export async function checkGolden(model: ResolvedModel, options: TaskOptions, host?: InferenceHost): Promise<void> {
  const samples = model.manifest.golden ?? [];
  for (const [index, sample] of samples.entries()) {
    const name = `sample ${index + 1}${typeof sample.input === 'string' ? ` (${sample.input})` : ''}`;
    const payload = await goldenPayload(sample, model.folder);
    const task = await openTask(model, { ...session(options), ...reportAll(sample) }, host);
    try {
      const { result } = await task.run(payload).catch((thrown) => {
        const error = asEdgeError(thrown);
        // What is missing on this machine says nothing of the model.
        if (error.code === 'EDGE_SHARP_MISSING') throw error;
        throw new EdgeError('EDGE_MODEL_GOLDEN', `${name}: ${error.message}`, { cause: thrown });
      });
      const fault = faultOf(result, sample);
      if (fault) throw new EdgeError('EDGE_MODEL_GOLDEN', `${name}: ${fault}`);
    } finally {
      await task.close();
    }
  }
}

/** What makes the session, without what a user wants reported of its results. */
function session({ labels: _l, scoreThreshold: _s, iouThreshold: _i, maxDetections: _m, ...rest }: TaskOptions): TaskOptions {
  return rest;
}

/** Low enough that an expected detection which lost a little of its score is still reported. */
function reportAll({ expected, scoreFrom = 0.5, tolerance }: GoldenSample): TaskOptions {
  if (!('detections' in expected)) {
    // A segmentation's classes have shares; its threshold is part of what is tried.
    const scored =
      Array.isArray(expected.classes) && expected.classes.every((entry: Partial<ClassScore>) => entry?.score !== undefined);
    return scored ? { maxDetections: 1000, scoreThreshold: 0 } : {};
  }
  const scores = (expected.detections as Detection[]).map(({ score }) => score);
  const least = Math.min(scoreFrom, ...scores) - (tolerance?.score ?? GOLDEN_TOLERANCE.score);
  return { scoreThreshold: Math.max(0.01, least), maxDetections: 1000 };
}

/** What is wrong with the result, in words; undefined when it is as expected. */
function faultOf(result: Result, { expected, scoreFrom = 0.5, tolerance }: GoldenSample): string | undefined {
  const tolerated: Tolerance = { ...GOLDEN_TOLERANCE, ...tolerance };
  for (const [field, wanted] of Object.entries(expected)) {
    const found = (result as unknown as Record<string, unknown>)[field];
    if (found === undefined) return `the result has no ${field}`;
    const fault =
      field === 'detections'
        ? faultOfDetections(found as Detection[], wanted as Detection[], scoreFrom, tolerated)
        : field === 'classes'
          ? faultOfClasses(found as ClassValue[], wanted as ClassValue[], tolerated)
          : faultOfValue(field, found, wanted, tolerated);
    if (fault) return fault;
  }
  return undefined;
}

function faultOfDetections(
  found: readonly Detection[],
  expected: readonly Detection[],
  scoreFrom: number,
  tolerance: Tolerance,
): string | undefined {
  const left = new Set(found);
  for (const wanted of expected) {
    const candidates = [...left].filter(({ label }) => label === wanted.label);
    const best = candidates.sort((a, b) => overlap(b.box, wanted.box) - overlap(a.box, wanted.box))[0];
    if (!best) return `${shown(wanted)} was not found`;
    if (overlap(best.box, wanted.box) < tolerance.overlap || Math.abs(best.score - wanted.score) > tolerance.score) {
      return `expected ${shown(wanted)}, found ${shown(best)}`;
    }
    left.delete(best);
  }
  const stranger = [...left].find(({ score }) => score > scoreFrom + tolerance.score);
  return stranger && `found ${shown(stranger)}, which is not expected`;
}

/** Of a classifier by their scores, of a segmentation by their shares of the picture. */
function faultOfClasses(found: readonly ClassValue[], expected: readonly ClassValue[], tolerance: Tolerance): string | undefined {
  for (const wanted of expected) {
    const same = found.find((candidate) => candidate.label === wanted.label);
    if (!same) return `"${wanted.label}" is none of the classes`;
    const [has, score] = [same, wanted].map((entry) => entry.score ?? entry.share);
    if (!(Math.abs(has! - score!) <= tolerance.score)) return `"${wanted.label}" has ${has}, expected ${score}`;
  }
  return undefined;
}

/** Any other value: texts are equal, lists as long, numbers near; a tensor is the list of its numbers. */
function faultOfValue(path: string, found: unknown, expected: unknown, tolerance: Tolerance): string | undefined {
  if (isTensor(found)) return faultOfNumbers(path, Array.from(tensorValue(found).data, Number), numbersOf(expected), tolerance);
  if (typeof expected === 'number' && typeof found === 'number') {
    return faultOfNumbers(path, [found], [expected], tolerance);
  }
  if (typeof expected === 'object' && expected !== null && typeof found === 'object' && found !== null) {
    if (Array.isArray(expected) && (found as unknown[]).length !== expected.length) {
      return `${path} has ${(found as unknown[]).length} entries, expected ${expected.length}`;
    }
    for (const [name, wanted] of Object.entries(expected)) {
      const has = Object.hasOwn(found, name);
      const fault = has
        ? faultOfValue(`${path}.${name}`, (found as Record<string, unknown>)[name], wanted, tolerance)
        : `the result has no ${path}.${name}`;
      if (fault) return fault;
    }
    return undefined;
  }
  return found === expected ? undefined : `${path} is ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`;
}

function faultOfNumbers(
  path: string,
  found: readonly number[],
  expected: readonly number[],
  { absolute, relative }: Tolerance,
): string | undefined {
  if (found.length !== expected.length) return `${path} has ${found.length} numbers, expected ${expected.length}`;
  const at = expected.findIndex((wanted, index) => !(Math.abs(found[index]! - wanted) <= absolute + relative * Math.abs(wanted)));
  return at < 0 ? undefined : `${path}${found.length > 1 ? `[${at}]` : ''} is ${found[at]}, expected ${expected[at]}`;
}

/** Nested lists of numbers, flat. Anything else in them is NaN, which nothing equals. */
function numbersOf(value: unknown): number[] {
  return Array.isArray(value) ? value.flatMap(numbersOf) : [typeof value === 'number' ? value : Number.NaN];
}

/** Intersection over union. */
function overlap(a: Box, b: Box): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  return (width * height) / (a.width * a.height + b.width * b.height - width * height);
}

function shown({ label, score, box }: Detection): string {
  const [x, y, width, height] = [box.x, box.y, box.width, box.height].map(Math.round);
  return `${label} ${score.toFixed(2)} at ${x},${y} ${width}x${height}`;
}

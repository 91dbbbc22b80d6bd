import { EdgeError } from '../../errors';
import type { Detection, Keypoint } from '../../message/results';
import type { HeadSettings } from '../../model/manifest';
import { type Candidates, notFinite } from '../candidates';
import { suppress } from '../suppression';
import type { HeadContext } from './head';

export const DEFAULT_SCORE_THRESHOLD = 0.35;
export const DEFAULT_IOU_THRESHOLD = 0.5;
export const DEFAULT_MAX_DETECTIONS = 100;

export function scoreThresholdOf(settings: HeadSettings): number {
  return settings.scoreThreshold ?? DEFAULT_SCORE_THRESHOLD;
}

/** True where the manifest says that the graph gives scores before their sigmoid: `"parameters": {"logits": true}`. */
export function givesLogits(settings: HeadSettings): boolean {
  return settings.parameters?.logits === true;
}

/**
 * Where the search for an anchor's best class starts: the largest 32-bit float below the score threshold, so that
 * `value > start` is `score >= threshold`. Values below are passed over by one comparison that is nearly always false, without
 * an exponential: where the graph gives logits it is they that are compared.
 */
export function searchStart(settings: HeadSettings): number {
  const probability = scoreThresholdOf(settings);
  const threshold = givesLogits(settings) ? Math.log(probability / (1 - probability)) : probability;
  const float = Float32Array.of(threshold);
  if (float[0]! < threshold || threshold === -Infinity) return float[0]!;
  if (threshold === 0) return -(2 ** -149);
  // One step towards minus infinity in the order of IEEE 754's bit patterns.
  new Int32Array(float.buffer)[0]! += threshold > 0 ? -1 : 1;
  return float[0]!;
}

export function sigmoid(value: number): number {
  return 1 / (1 + Math.exp(-value));
}

/** The strides of `parameters.strides`, or the family's. @throws EDGE_MODEL_MANIFEST */
export function stridesOf(settings: HeadSettings, usual: readonly number[]): readonly number[] {
  const strides = settings.parameters?.strides;
  if (strides === undefined) return usual;
  const valid = Array.isArray(strides) && strides.length > 0 && strides.length <= 8 && strides.every(isStride);
  if (!valid)
    throw new EdgeError('EDGE_MODEL_MANIFEST', 'output.parameters.strides: expected 1 to 8 whole numbers from 1 to 512');
  return strides;
}

/** Columns of the classes that are reported: all but those with an empty label. */
export function reportedClasses(labels: readonly string[], count: number): Uint16Array {
  const columns = new Uint16Array(count);
  let length = 0;
  for (let column = 0; column < count; column++) if (labels[column] !== '') columns[length++] = column;
  return columns.subarray(0, length);
}

/** The name of a class; one without a label is "class 17". */
export function labelOf(labels: readonly string[], index: number): string {
  return labels[index] || `class ${index}`;
}

/**
 * The last step of every head: suppression, then plain objects, best first.
 * @param keypointsOf decodes the landmarks of one anchor, for heads that have them.
 * @throws EDGE_MODEL_OUTPUT_SHAPE when scores are above 1, which no probability is.
 */
export function toDetections(
  candidates: Candidates,
  context: HeadContext,
  keypointsOf?: (anchor: number) => Keypoint[],
): Detection[] {
  const { settings, labels, only } = context;
  if (only) keepOnly(candidates, (index) => only.has(labelOf(labels, index)));
  const kept = suppress(candidates, {
    iouThreshold: settings.iouThreshold ?? DEFAULT_IOU_THRESHOLD,
    maxDetections: settings.maxDetections ?? DEFAULT_MAX_DETECTIONS,
    classAgnostic: settings.parameters?.classAgnostic === true,
  });
  return kept.map((index) => {
    const left = candidates.left[index]!;
    const top = candidates.top[index]!;
    const detection: Detection = {
      label: labelOf(labels, candidates.classes[index]!),
      score: probability(candidates.scores[index]!),
      box: { x: left, y: top, width: candidates.right[index]! - left, height: candidates.bottom[index]! - top },
    };
    if (keypointsOf) detection.keypoints = finitePoints(keypointsOf(candidates.anchors[index]!));
    return detection;
  });
}

function keepOnly(candidates: Candidates, wanted: (classIndex: number) => boolean): void {
  let length = 0;
  for (let from = 0; from < candidates.length; from++) {
    if (!wanted(candidates.classes[from]!)) continue;
    for (const column of ['left', 'top', 'right', 'bottom', 'scores', 'classes', 'anchors'] as const) {
      candidates[column][length] = candidates[column][from]!;
    }
    length += 1;
  }
  candidates.length = length;
}

/** Rounding inside int8 graphs may pass 1 by a step; anything beyond is not a probability. */
function probability(score: number): number {
  if (score <= 1) return score;
  if (score <= 1.05) return 1;
  throw new EdgeError('EDGE_MODEL_OUTPUT_SHAPE', `a score of ${score.toFixed(2)}, expected 0 to 1`, {
    mend: 'If the model gives scores before their sigmoid, set output.parameters.logits to true in its manifest',
  });
}

function finitePoints(points: Keypoint[]): Keypoint[] {
  if (points.every(({ x, y, score = 0 }) => Number.isFinite(x) && Number.isFinite(y) && Number.isFinite(score))) return points;
  throw notFinite();
}

function isStride(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 512;
}

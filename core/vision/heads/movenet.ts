import type { Keypoint } from '../../message/results';
import { Candidates, notFinite } from '../candidates';
import { BODY, keypoint, keypointNames } from './body';
import { toDetections } from './detections';
import type { DetectionHead, FamilyInput, HeadContext } from './head';
import { hasShape, outputOf } from './outputs';

const POINTS = BODY.length;
/** Of the mean over all joints, of which some are out of sight in most pictures. */
const USUAL_THRESHOLD = 0.25;
/** A joint of at least this score counts as seen, and the box is laid around those. */
const SEEN = 0.2;
/** top, left, bottom, right, score behind the joints of each person. */
const ROW = 3 * POINTS + 5;

const INPUT: FamilyInput = {
  colours: 'rgb',
  mean: [0, 0, 0],
  scale: [1, 1, 1],
  fit: 'letterbox',
  anchor: 'centre',
  padding: 0,
};

/**
 * MoveNet for one person (Lightning, Thunder): one output [1, 1, 17, 3], per joint `y, x, score` relative to the input. The
 * person's score is the mean over the joints; the box is laid around those that are seen. A picture without a person gives joints
 * of low scores, and no detection.
 *
 * Parameters: `keypoints` (other names), `skeleton` (other pairs).
 */
export const movenet: DetectionHead = {
  id: 'movenet',
  task: 'pose',
  layout: '[1, 1, 17, 3]; one person, decoded',
  source: 'tfhub.dev/google/movenet/singlepose/lightning/4; blog.tensorflow.org 2021/05 next-generation pose detection',
  input: INPUT,
  labels: ['person'],

  matches: (inputs, outputs) => hasPicture(inputs) && outputs.length === 1 && hasShape(outputs[0], [1, 1, POINTS, 3]),

  classCount: () => 1,

  keypointCount: () => POINTS,

  decode(outputs, context) {
    const { data } = outputOf(outputs, undefined, [1, 1, POINTS, 3]);
    const threshold = context.settings.scoreThreshold ?? USUAL_THRESHOLD;
    const points = pointsOf(data, 0, context);
    const score = points.reduce((sum, point) => sum + point.score!, 0) / POINTS;
    if (Number.isNaN(score)) throw notFinite();
    const candidates = new Candidates();
    if (score >= threshold) {
      const seen = points.filter((point) => point.score! >= SEEN);
      const around = seen.length > 1 ? seen : points;
      const across = around.map(({ x }) => x);
      const down = around.map(({ y }) => y);
      candidates.add(Math.min(...across), Math.min(...down), Math.max(...across), Math.max(...down), score, 0, 0);
    }
    return toDetections(candidates, context, () => points);
  },
};

/**
 * MoveNet for up to six people: [1, 6, 56], per person the 17 joints as above, then `top, left, bottom, right, score` relative to
 * the input.
 *
 * Parameters: as movenet.
 */
export const movenetMulti: DetectionHead = {
  id: 'movenet-multi',
  task: 'pose',
  layout: '[1, 6, 56]; up to six people, decoded',
  source: 'tfhub.dev/google/movenet/multipose/lightning/1',
  input: INPUT,
  labels: ['person'],

  matches: (inputs, outputs) => hasPicture(inputs) && outputs.length === 1 && hasShape(outputs[0], [1, 6, ROW]),

  classCount: () => 1,

  keypointCount: () => POINTS,

  decode(outputs, context) {
    const { input, settings } = context;
    const { data, shape } = outputOf(outputs, undefined, [1, null, ROW]);
    const threshold = settings.scoreThreshold ?? USUAL_THRESHOLD;
    const candidates = new Candidates();
    for (let person = 0; person < shape[1]!; person++) {
      const at = person * ROW + 3 * POINTS;
      const score = data[at + 4]!;
      if (!(score >= threshold)) {
        if (Number.isNaN(score)) throw notFinite();
        continue;
      }
      candidates.add(
        data[at + 1]! * input.width,
        data[at]! * input.height,
        data[at + 3]! * input.width,
        data[at + 2]! * input.height,
        score,
        0,
        person,
      );
    }
    return toDetections(candidates, context, (person) => pointsOf(data, person * ROW, context));
  },
};

function pointsOf(data: Float32Array, from: number, { input, settings }: HeadContext): Keypoint[] {
  const names = keypointNames(settings, POINTS);
  const points: Keypoint[] = [];
  for (let point = 0; point < POINTS; point++) {
    const at = from + 3 * point;
    points.push(keypoint(names[point], data[at + 1]! * input.width, data[at]! * input.height, data[at + 2]!));
  }
  return points;
}

/** Its size may vary: the outputs are enough to know it by. */
function hasPicture(inputs: Parameters<DetectionHead['matches']>[0]): boolean {
  return inputs.length === 1 && inputs[0]!.shape.length === 4;
}

import { EdgeError } from '../../errors';
import type { Keypoint } from '../../message/results';
import type { HeadSettings } from '../../model/manifest';

/** The 17 joints of COCO's keypoints, in the order of every model that was trained on them. Right and left are the person's. */
export const BODY = [
  'nose',
  'left eye',
  'right eye',
  'left ear',
  'right ear',
  'left shoulder',
  'right shoulder',
  'left elbow',
  'right elbow',
  'left wrist',
  'right wrist',
  'left hip',
  'right hip',
  'left knee',
  'right knee',
  'left ankle',
  'right ankle',
] as const;

/** COCO's limbs. */
const LIMBS: readonly (readonly [number, number])[] = [
  [0, 1],
  [0, 2],
  [1, 3],
  [2, 4],
  [5, 6],
  [5, 7],
  [7, 9],
  [6, 8],
  [8, 10],
  [5, 11],
  [6, 12],
  [11, 12],
  [11, 13],
  [13, 15],
  [12, 14],
  [14, 16],
];

const MOST_POINTS = 1000;

/** A point without the properties that are not known. */
export function keypoint(name: string | undefined, x: number, y: number, score: number | undefined): Keypoint {
  const point: Keypoint = name === undefined ? { x, y } : { name, x, y };
  if (score !== undefined) point.score = score;
  return point;
}

/** Names of a pose's points: `parameters.keypoints`, or COCO's where there are 17; empty where nobody knows them. */
export function keypointNames(settings: HeadSettings, count: number): readonly string[] {
  const said = settings.parameters?.keypoints;
  if (said === undefined) return count === BODY.length ? BODY : [];
  if (Array.isArray(said) && said.length <= MOST_POINTS && said.every((name) => typeof name === 'string')) return said;
  throw new EdgeError('EDGE_MODEL_MANIFEST', 'output.parameters.keypoints: expected a list of names');
}

/** Pairs of points to join: `parameters.skeleton`, or COCO's where there are its 17 points. @throws EDGE_MODEL_MANIFEST */
export function skeletonOf(settings: HeadSettings, count: number): readonly (readonly [number, number])[] {
  const said = settings.parameters?.skeleton;
  if (said === undefined) return count === BODY.length && settings.parameters?.keypoints === undefined ? LIMBS : [];
  const isPoint = (value: unknown) => typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < count;
  const valid =
    Array.isArray(said) &&
    said.length <= MOST_POINTS &&
    said.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every(isPoint));
  if (valid) return said as [number, number][];
  throw new EdgeError('EDGE_MODEL_MANIFEST', `output.parameters.skeleton: expected pairs of whole numbers below ${count}`);
}

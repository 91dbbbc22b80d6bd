import { EdgeError } from '../../errors';
import type { Detection, Keypoint } from '../../message/results';
import type { TensorInfo } from '../../message/tensor';
import { Candidates, notFinite } from '../candidates';
import { keypoint, keypointNames } from './body';
import { scoreThresholdOf, toDetections } from './detections';
import type { DetectionHead, HeadContext } from './head';
import { cellCount, hasShape, imageSizeOf, outputOf, sizeAt } from './outputs';
import { isOpen, ULTRALYTICS_INPUT } from './yolov8';
import { shapeOf } from './yolov8-pose';

const STRIDES = [8, 16, 32];
/** left, top, right, bottom, score, class */
const COLUMNS = 6;
/** Most rows that such graphs give; Ultralytics' default is 300. */
const MOST_ROWS = 1000;
const MOST_CLASSES = 65_535;

/**
 * YOLOv10, YOLO26 and every YOLO that was exported with its suppression: one output [1, rows, 6], each `left, top, right, bottom`
 * in pixels of the input, score, class number; rows that hold nothing have a score of 0. Nothing is suppressed again unless an
 * `iouThreshold` is set.
 *
 * Parameters: `classAgnostic` (with an `iouThreshold`).
 */
export const endToEnd: DetectionHead = {
  id: 'end-to-end',
  task: 'detection',
  layout: '[1, rows, 6], up to 1000 rows ([1, 300, 6]); suppressed',
  source: 'Wang et al., YOLOv10 (2024); docs.ultralytics.com/modes/export, end2end and nms',
  input: ULTRALYTICS_INPUT,

  matches: (inputs, outputs, exporter) => looksEndToEnd(inputs, outputs, COLUMNS, exporter.endToEnd),

  classCount: () => null,

  decode: (outputs, context) => {
    const output = outputOf(outputs, undefined, [1, null, COLUMNS]);
    return decodeRows(output, context);
  },
};

/**
 * The same with the keypoints of a pose behind each row: [1, rows, 6 + points * values], [1, 300, 57] for people.
 *
 * Parameters: `keypointShape` ([17, 3]), `keypoints` (their names), `skeleton` (pairs to join).
 */
export const endToEndPose: DetectionHead = {
  id: 'end-to-end-pose',
  task: 'pose',
  layout: '[1, rows, 6 + points * 3] ([1, 300, 57] for people); suppressed',
  source: 'docs.ultralytics.com/tasks/pose, models exported with end2end or nms',
  input: ULTRALYTICS_INPUT,

  matches(inputs, outputs, exporter) {
    const [count, values] = exporter.keypointShape ?? shapeOf({});
    return looksEndToEnd(inputs, outputs, COLUMNS + count * values, exporter.endToEnd);
  },

  classCount: () => null,

  inferred: ({ keypointShape }) => (keypointShape ? { parameters: { keypointShape } } : {}),

  keypointCount: (_outputs, settings) => shapeOf(settings)[0],

  decode(outputs, context) {
    const [count, values] = shapeOf(context.settings);
    const columns = COLUMNS + count * values;
    const output = outputOf(outputs, undefined, [1, null, columns]);
    const names = keypointNames(context.settings, count);
    return decodeRows(output, context, (row) => {
      const points: Keypoint[] = [];
      for (let point = 0; point < count; point++) {
        const at = row * columns + COLUMNS + point * values;
        const score = values === 3 ? output.data[at + 2] : undefined;
        points.push(keypoint(names[point], output.data[at]!, output.data[at + 1]!, score));
      }
      return points;
    });
  },
};

/**
 * Not where there are as many rows as an anchor-free detector has cells: those have other columns. An exporter that put
 * suppression behind another network still says that the network itself is not end to end.
 */
function looksEndToEnd(
  inputs: readonly TensorInfo[],
  outputs: readonly TensorInfo[],
  columns: number,
  said: boolean | undefined,
): boolean {
  if (outputs.length !== 1) return false;
  const { shape } = outputs[0]!;
  if (said === true) return shape.length === 3 && (shape[2] === columns || isOpen(shape[2]));
  const size = imageSizeOf(inputs);
  if (!size || !hasShape(outputs[0], [1, null, columns])) return false;
  const rows = sizeAt(outputs, undefined, 3, 1)!;
  return rows <= MOST_ROWS && rows !== cellCount(size, STRIDES) && rows !== 3 * cellCount(size, STRIDES);
}

function decodeRows(
  { shape, data }: { shape: readonly number[]; data: Float32Array },
  context: HeadContext,
  keypointsOf?: (row: number) => Keypoint[],
): Detection[] {
  const { labels, settings } = context;
  const [, rows, columns] = shape as [number, number, number];
  const threshold = scoreThresholdOf(settings);
  const candidates = new Candidates();
  for (let row = 0, at = 0; row < rows; row++, at += columns) {
    const score = data[at + 4]!;
    if (!(score >= threshold)) {
      if (Number.isNaN(score)) throw notFinite();
      continue;
    }
    const classIndex = Math.round(data[at + 5]!);
    if (!(classIndex >= 0 && classIndex <= MOST_CLASSES)) {
      if (Number.isNaN(classIndex)) throw notFinite();
      throw new EdgeError('EDGE_MODEL_OUTPUT_SHAPE', `a class number of ${data[at + 5]}`);
    }
    if (labels[classIndex] === '') continue;
    candidates.add(data[at]!, data[at + 1]!, data[at + 2]!, data[at + 3]!, score, classIndex, row);
  }
  return toDetections(candidates, { ...context, settings: { iouThreshold: 1, ...settings } }, keypointsOf);
}

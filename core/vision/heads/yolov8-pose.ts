import { EdgeError } from '../../errors';
import type { Keypoint } from '../../message/results';
import { keypoint, keypointNames } from './body';
import { toDetections } from './detections';
import type { DetectionHead, HeadSettings } from './head';
import { imageSizeOf, outputOf } from './outputs';
import { candidatesOf, isOpen, rowsOf, tableOf, ULTRALYTICS_INPUT } from './yolov8';

/** What COCO's people have: 17 points of x, y and visibility. */
const USUAL_SHAPE = [17, 3] as const;

/**
 * YOLOv8-pose and its successors: the layout of yolov8 with rows of keypoints behind those of the classes, [1, 4 + classes +
 * points * values, anchors]; a point is `x, y` in pixels of the input and, with 3 values, its visibility (a probability).
 *
 * Parameters: `keypointShape` ([17, 3]), `keypoints` (their names), `skeleton` (pairs to join); those of yolov8.
 */
export const yolov8Pose: DetectionHead = {
  id: 'yolov8-pose',
  task: 'pose',
  layout: '[1, 4 + classes + points * 3, anchors], or transposed ([1, 56, anchors] for people); decoded',
  source: 'docs.ultralytics.com/tasks/pose; ultralytics/nn/modules/head.py Pose.kpts_decode',
  input: ULTRALYTICS_INPUT,

  // Without the exporter's word only the one that everybody knows: people with COCO's points.
  matches(inputs, outputs, exporter) {
    if (exporter.endToEnd === true || outputs.length !== 1) return false;
    const [count, values] = exporter.keypointShape ?? USUAL_SHAPE;
    const rows = rowsOf(outputs[0]!.shape, imageSizeOf(inputs));
    if (rows !== null) return exporter.keypointShape ? rows >= 5 + count * values : rows === 5 + count * values;
    return exporter.task === 'pose' && outputs[0]!.shape.length === 3 && outputs[0]!.shape.some((size) => isOpen(size));
  },

  classCount(outputs, settings) {
    const shape = outputs.length === 1 && outputs[0]!.shape.length === 3 ? outputs[0]!.shape : [];
    const [, second, third] = shape;
    if (typeof second !== 'number' || typeof third !== 'number' || second < 1 || third < 1) return null;
    const [count, values] = shapeOf(settings ?? {});
    return Math.min(second, third) - 4 - count * values;
  },

  inferred: ({ keypointShape }) => (keypointShape ? { parameters: { keypointShape } } : {}),

  keypointCount: (_outputs, settings) => shapeOf(settings)[0],

  decode(outputs, context) {
    const { settings } = context;
    const [count, values] = shapeOf(settings);
    const output = outputOf(outputs, undefined, [1, null, null]);
    const table = tableOf(output, Object.keys(outputs)[0]!, context, count * values);
    const names = keypointNames(settings, count);
    return toDetections(candidatesOf(table, context), context, (anchor) => {
      const { data, rows, rowStep, anchorStep } = table;
      const points: Keypoint[] = [];
      for (let point = 0; point < count; point++) {
        const at = anchor * anchorStep + (rows + point * values) * rowStep;
        points.push(keypoint(names[point], data[at]!, data[at + rowStep]!, values === 3 ? data[at + 2 * rowStep] : undefined));
      }
      return points;
    });
  },
};

/** @throws EDGE_MODEL_MANIFEST */
export function shapeOf(settings: Partial<HeadSettings>): readonly [count: number, values: number] {
  const said = settings.parameters?.keypointShape;
  if (said === undefined) return USUAL_SHAPE;
  const [count, values] = Array.isArray(said) && said.length === 2 ? (said as unknown[]) : [];
  if (Number.isInteger(count) && (count as number) >= 1 && (count as number) <= 1000 && (values === 2 || values === 3)) {
    return [count as number, values];
  }
  throw new EdgeError('EDGE_MODEL_MANIFEST', 'output.parameters.keypointShape: expected [points, 2 or 3]');
}

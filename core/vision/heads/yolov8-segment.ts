import { EdgeError } from '../../errors';
import type { TensorInfo } from '../../message/tensor';
import { toDetections } from './detections';
import type { DetectionHead, Outputs } from './head';
import { imageSizeOf, outputOf, sizeWithout } from './outputs';
import { candidatesOf, rowsOf, tableOf, ULTRALYTICS_INPUT } from './yolov8';

/**
 * YOLOv8-seg and its successors, read as a detector: [1, 4 + classes + coefficients, anchors] and the mask prototypes [1,
 * coefficients, height / 4, width / 4]. The boxes are those of yolov8; the masks of single things are not made.
 *
 * Parameters: those of yolov8.
 */
export const yolov8Segment: DetectionHead = {
  id: 'yolov8-segment',
  task: 'detection',
  layout: '[1, 4 + classes + 32, anchors] and prototypes [1, 32, height / 4, width / 4]; boxes only',
  source: 'docs.ultralytics.com/tasks/segment; ultralytics/nn/modules/head.py Segment',
  input: ULTRALYTICS_INPUT,

  matches(inputs, outputs, exporter) {
    const size = imageSizeOf(inputs);
    const { table, prototypes } = parts(outputs);
    if (!size || !table || !prototypes || exporter.endToEnd === true) return false;
    const [, coefficients, height, width] = prototypes.shape;
    const rows = rowsOf(table.shape, size);
    if (height !== size.height / 4 || width !== size.width / 4 || rows === null) return false;
    return typeof coefficients === 'number' && rows >= 5 + coefficients;
  },

  classCount(outputs) {
    const { table, prototypes } = parts(outputs);
    const sizes = [table?.shape[1], table?.shape[2], prototypes?.shape[1]];
    if (!sizes.every((size) => typeof size === 'number' && size > 0)) return null;
    const [second, third, coefficients] = sizes as number[];
    return sizeWithout(Math.min(second!, third!), 4 + coefficients!);
  },

  decode(outputs, context) {
    const { table, prototypes } = parts(infosOf(outputs));
    if (!table || !prototypes) {
      throw new EdgeError('EDGE_MODEL_OUTPUT_SHAPE', 'expected boxes [1, rows, anchors] and prototypes [1, *, height, width]');
    }
    const others = Number(prototypes.shape[1]);
    const boxes = tableOf(outputOf(outputs, table.name, [1, null, null]), table.name, context, others);
    return toDetections(candidatesOf(boxes, context), context);
  },
};

function parts(outputs: readonly TensorInfo[]): { table?: TensorInfo | undefined; prototypes?: TensorInfo | undefined } {
  if (outputs.length !== 2) return {};
  return {
    table: outputs.find(({ shape }) => shape.length === 3),
    prototypes: outputs.find(({ shape }) => shape.length === 4),
  };
}

function infosOf(outputs: Outputs): TensorInfo[] {
  return Object.entries(outputs).map(([name, { type, shape }]) => ({ name, type, shape }));
}

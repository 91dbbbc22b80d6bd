import { Candidates, notFinite } from '../candidates';
import { givesLogits, reportedClasses, searchStart, sigmoid, toDetections } from './detections';
import type { DetectionHead } from './head';
import { cellCount, hasShape, imageSizeOf, outputOf, shapeError } from './outputs';

const STRIDES = [8, 16, 32];

/**
 * The layout of YOLOv8 and its successors up to v12 (and of YOLOv9): one output [1, 4 + classes, anchors] with rows
 * `cx, cy, w, h` in pixels of the input, then class probabilities, all decoded in the graph. Some exports are transposed,
 * [1, anchors, 4 + classes]: the longer side is the anchors.
 *
 * Parameters: `transposed` (true or false, where the sizes do not tell); `logits`; `classAgnostic`.
 */
export const yolov8: DetectionHead = {
  id: 'yolov8',
  source: 'docs.ultralytics.com/modes/export; github.com/ultralytics/ultralytics examples/YOLOv8-ONNXRuntime/main.py',
  input: {
    colours: 'rgb',
    mean: [0, 0, 0],
    scale: [1 / 255, 1 / 255, 1 / 255],
    fit: 'letterbox',
    anchor: 'centre',
    padding: 114,
  },

  // A transposed export cannot be told from YOLOX with one class less: it is never guessed.
  matches(inputs, outputs) {
    const size = imageSizeOf(inputs);
    if (!size || outputs.length !== 1 || !hasShape(outputs[0], [1, null, cellCount(size, STRIDES)])) return false;
    return Number(outputs[0]!.shape[1]) >= 5;
  },

  classCount(outputs) {
    const { shape } = outputOf(outputs, undefined, [1, null, null]);
    return Math.min(shape[1]!, shape[2]!) - 4;
  },

  decode(outputs, context) {
    const { labels, settings } = context;
    const { shape, data } = outputOf(outputs, undefined, [1, null, null]);
    const transposed = settings.parameters?.transposed;
    const anchorsLast = typeof transposed === 'boolean' ? !transposed : shape[2]! >= shape[1]!;
    const [rows, anchors] = anchorsLast ? [shape[1]!, shape[2]!] : [shape[2]!, shape[1]!];
    if (rows < 5 || rows > 65_539) throw shapeError(Object.keys(outputs)[0]!, [1, '4 + classes', 'anchors'], shape);
    const classes = reportedClasses(labels, rows - 4);
    const logits = givesLogits(settings);
    const start = searchStart(settings);
    // The best class of every anchor. Class by class where a class is a row, so that memory is read in order.
    const best = new Float32Array(anchors).fill(start);
    const bestClass = new Int32Array(anchors).fill(-1);
    if (anchorsLast) {
      for (const index of classes) bestOfRow(data, (4 + index) * anchors, index, best, bestClass);
    } else {
      for (let anchor = 0; anchor < anchors; anchor++) bestOfAnchor(data, anchor * rows + 4, anchor, classes, best, bestClass);
    }

    const candidates = new Candidates();
    const [anchorStep, rowStep] = anchorsLast ? [1, anchors] : [rows, 1];
    for (let anchor = 0; anchor < anchors; anchor++) {
      const index = bestClass[anchor]!;
      if (index < 0) continue;
      const at = anchor * anchorStep;
      const centreX = data[at]!;
      const centreY = data[at + rowStep]!;
      const halfWidth = data[at + 2 * rowStep]! / 2;
      const halfHeight = data[at + 3 * rowStep]! / 2;
      candidates.add(
        centreX - halfWidth,
        centreY - halfHeight,
        centreX + halfWidth,
        centreY + halfHeight,
        logits ? sigmoid(best[anchor]!) : best[anchor]!,
        index,
        anchor,
      );
    }
    return toDetections(candidates, context);
  },
};

function bestOfRow(data: Float32Array, from: number, index: number, best: Float32Array, bestClass: Int32Array): void {
  for (let anchor = 0; anchor < best.length; anchor++) {
    const value = data[from + anchor]!;
    // NaN fails the comparison as well, so looking for it costs nothing where there is none.
    if (!(value <= best[anchor]!)) {
      if (Number.isNaN(value)) throw notFinite();
      best[anchor] = value;
      bestClass[anchor] = index;
    }
  }
}

function bestOfAnchor(
  data: Float32Array,
  from: number,
  anchor: number,
  classes: Uint16Array,
  best: Float32Array,
  bestClass: Int32Array,
): void {
  let most = best[anchor]!;
  for (let at = 0; at < classes.length; at++) {
    const value = data[from + classes[at]!]!;
    if (!(value <= most)) {
      if (Number.isNaN(value)) throw notFinite();
      most = value;
      bestClass[anchor] = classes[at]!;
    }
  }
  best[anchor] = most;
}

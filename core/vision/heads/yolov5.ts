import { Candidates, notFinite } from '../candidates';
import { givesLogits, reportedClasses, scoreThresholdOf, searchStart, sigmoid, toDetections } from './detections';
import type { DetectionHead } from './head';
import { cellCount, hasShape, imageSizeOf, outputOf, shapeError, sizeAt, sizeWithout } from './outputs';
import { ULTRALYTICS_INPUT } from './yolov8';

/** Strides of the usual networks, and of those for larger pictures (P6). */
const STRIDES = [
  [8, 16, 32],
  [8, 16, 32, 64],
];
const ANCHORS_PER_CELL = 3;

/**
 * YOLOv5, YOLOv7 and the Ultralytics exports of YOLOv3: one output [1, anchors, 5 + classes], three anchors per cell, each `cx,
 * cy, w, h` in pixels of the input, objectness, class probabilities, all decoded in the graph; score = objectness * class
 * probability.
 *
 * Parameters: `logits` where objectness and classes still lack their sigmoid; `classAgnostic`.
 */
export const yolov5: DetectionHead = {
  id: 'yolov5',
  task: 'detection',
  layout: '[1, anchors, 5 + classes], three anchors a cell; decoded',
  source: 'github.com/ultralytics/yolov5 models/yolo.py Detect; github.com/WongKinYiu/yolov7 models/yolo.py IDetect',
  input: ULTRALYTICS_INPUT,

  matches(inputs, outputs) {
    const size = imageSizeOf(inputs);
    if (!size || outputs.length !== 1 || !hasShape(outputs[0], [1, null, null])) return false;
    const [, anchors, columns] = outputs[0]!.shape;
    return Number(columns) >= 6 && STRIDES.some((strides) => anchors === ANCHORS_PER_CELL * cellCount(size, strides));
  },

  classCount: (outputs) => sizeWithout(sizeAt(outputs, undefined, 3, 2), 5),

  decode(outputs, context) {
    const { labels, settings } = context;
    const { shape, data } = outputOf(outputs, undefined, [1, null, null]);
    const [, anchors, columns] = shape as [number, number, number];
    if (columns < 6 || columns > 65_540) throw shapeError(Object.keys(outputs)[0]!, [1, 'anchors', '5 + classes'], shape);
    const classes = reportedClasses(labels, columns - 5);
    const threshold = scoreThresholdOf(settings);
    const logits = givesLogits(settings);
    // A class probability is at most 1, so the product cannot pass where objectness does not: most anchors end here.
    const leastObjectness = searchStart(settings);
    const candidates = new Candidates();
    for (let anchor = 0, at = 0; anchor < anchors; anchor++, at += columns) {
      const objectness = data[at + 4]!;
      if (!(objectness > leastObjectness)) {
        if (Number.isNaN(objectness)) throw notFinite();
        continue;
      }
      let best = -Infinity;
      let bestClass = -1;
      for (let k = 0; k < classes.length; k++) {
        const value = data[at + 5 + classes[k]!]!;
        if (!(value <= best)) {
          if (Number.isNaN(value)) throw notFinite();
          best = value;
          bestClass = classes[k]!;
        }
      }
      const score = logits ? sigmoid(objectness) * sigmoid(best) : objectness * best;
      if (bestClass < 0 || score < threshold) continue;
      const centreX = data[at]!;
      const centreY = data[at + 1]!;
      const halfWidth = data[at + 2]! / 2;
      const halfHeight = data[at + 3]! / 2;
      candidates.add(
        centreX - halfWidth,
        centreY - halfHeight,
        centreX + halfWidth,
        centreY + halfHeight,
        score,
        bestClass,
        anchor,
      );
    }
    return toDetections(candidates, context);
  },
};

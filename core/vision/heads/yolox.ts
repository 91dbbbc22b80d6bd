import { Candidates, notFinite } from '../candidates';
import { givesLogits, reportedClasses, scoreThresholdOf, sigmoid, stridesOf, toDetections } from './detections';
import type { DetectionHead } from './head';
import { cellCount, hasShape, imageSizeOf, outputOf, shapeError, sizeAt, sizeWithout } from './outputs';

const STRIDES = [8, 16, 32];

/**
 * YOLOX, exported without its decoding (`--decode_in_inference` off, as published): one output [1, cells, 5 + classes], cells
 * of the strides 8, 16, 32 row by row, each `x, y, w, h, objectness, class probabilities`; centre = (xy + cell) * stride,
 * size = exp(wh) * stride, score = objectness * class probability. With one class it is the layout of person detectors too.
 *
 * Parameters: `strides`; `logits` where objectness and classes still lack their sigmoid; `classAgnostic`.
 */
export const yolox: DetectionHead = {
  id: 'yolox',
  task: 'detection',
  layout: '[1, cells, 5 + classes], one cell each of the strides 8, 16, 32; not decoded',
  source: 'Ge et al., YOLOX (2021); github.com/Megvii-BaseDetection/YOLOX yolox/utils/demo_utils.py demo_postprocess',
  input: { colours: 'bgr', mean: [0, 0, 0], scale: [1, 1, 1], fit: 'letterbox', anchor: 'start', padding: 114 },

  matches(inputs, outputs, { task }) {
    // Ultralytics, which writes a task, does not export YOLOX.
    if (task !== undefined) return false;
    const size = imageSizeOf(inputs);
    if (!size || outputs.length !== 1 || !hasShape(outputs[0], [1, cellCount(size, STRIDES), null])) return false;
    return Number(outputs[0]!.shape[2]) >= 6;
  },

  classCount: (outputs) => sizeWithout(sizeAt(outputs, undefined, 3, 2), 5),

  decode(outputs, context) {
    const { input, labels, settings } = context;
    const strides = stridesOf(settings, STRIDES);
    const { shape, data } = outputOf(outputs, undefined, [1, cellCount(input, strides), null]);
    const columns = shape[2]!;
    if (columns < 6) throw shapeError(Object.keys(outputs)[0]!, [1, shape[1]!, '5 + classes'], shape);
    const classes = reportedClasses(labels, columns - 5);
    const threshold = scoreThresholdOf(settings);
    const logits = givesLogits(settings);
    const candidates = new Candidates();

    let anchor = 0;
    for (const stride of strides) {
      const across = Math.ceil(input.width / stride);
      const down = Math.ceil(input.height / stride);
      for (let row = 0; row < down; row++) {
        for (let column = 0; column < across; column++, anchor++) {
          const at = anchor * columns;
          const objectness = logits ? sigmoid(data[at + 4]!) : data[at + 4]!;
          // A class probability is at most 1, so the product cannot pass where objectness does not: most cells end here.
          if (!(objectness >= threshold)) {
            if (Number.isNaN(objectness)) throw notFinite();
            continue;
          }
          let best = -Infinity;
          let bestClass = 0;
          for (const index of classes) {
            const value = data[at + 5 + index]!;
            if (!(value <= best)) {
              if (Number.isNaN(value)) throw notFinite();
              best = value;
              bestClass = index;
            }
          }
          const score = objectness * (logits ? sigmoid(best) : best);
          if (score < threshold || best === -Infinity) continue;
          const centreX = (data[at]! + column) * stride;
          const centreY = (data[at + 1]! + row) * stride;
          const halfWidth = (Math.exp(data[at + 2]!) * stride) / 2;
          const halfHeight = (Math.exp(data[at + 3]!) * stride) / 2;
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
      }
    }
    return toDetections(candidates, context);
  },
};

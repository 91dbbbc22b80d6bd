import { Candidates, notFinite } from '../candidates';
import { reportedClasses, scoreThresholdOf, sigmoid, toDetections } from './detections';
import type { DetectionHead } from './head';
import { hasShape, imageSizeOf, outputOf, shapeError, sizeAt, sizeWithout } from './outputs';

const STRIDE = 16;

/**
 * FastestDet: one output [1, 5 + classes, rows, columns] at stride 16, per cell `objectness, tx, ty, tw, th, class
 * probabilities` (sigmoid and softmax are in the graph). Centre = (cell + tanh(t)) / cells, size = sigmoid(t), both relative
 * to the picture; score = objectness^0.6 * class probability^0.4.
 *
 * Parameters: `classAgnostic`.
 */
export const fastestdet: DetectionHead = {
  id: 'fastestdet',
  task: 'detection',
  layout: '[1, 5 + classes, rows, columns] at stride 16',
  source: 'github.com/dog-qiuqiu/FastestDet utils/tool.py handle_preds, example/ncnn/FastestDet.cpp',
  input: { colours: 'bgr', mean: [0, 0, 0], scale: [1 / 255, 1 / 255, 1 / 255], fit: 'stretch' },

  matches(inputs, outputs) {
    const size = imageSizeOf(inputs);
    if (!size || outputs.length !== 1) return false;
    if (!hasShape(outputs[0], [1, null, Math.ceil(size.height / STRIDE), Math.ceil(size.width / STRIDE)])) return false;
    return Number(outputs[0]!.shape[1]) >= 6;
  },

  classCount: (outputs) => sizeWithout(sizeAt(outputs, undefined, 4, 1), 5),

  decode(outputs, context) {
    const { input, labels, settings } = context;
    const { shape, data } = outputOf(outputs, undefined, [1, null, null, null]);
    const [, planes, rows, columns] = shape as [number, number, number, number];
    if (planes < 6) throw shapeError(Object.keys(outputs)[0]!, [1, '5 + classes', 'rows', 'columns'], shape);
    const cells = rows * columns;
    const classes = reportedClasses(labels, planes - 5);
    const threshold = scoreThresholdOf(settings);
    // Probabilities are at most 1: below this objectness no class lifts the score over the threshold.
    const leastObjectness = threshold ** (1 / 0.6);
    const candidates = new Candidates();

    for (let cell = 0; cell < cells; cell++) {
      const objectness = data[cell]!;
      if (!(objectness >= leastObjectness)) {
        if (Number.isNaN(objectness)) throw notFinite();
        continue;
      }
      let best = -Infinity;
      let bestClass = 0;
      for (const index of classes) {
        const value = data[(5 + index) * cells + cell]!;
        if (!(value <= best)) {
          if (Number.isNaN(value)) throw notFinite();
          best = value;
          bestClass = index;
        }
      }
      if (best < 0) continue;
      const score = objectness ** 0.6 * best ** 0.4;
      if (score < threshold) continue;
      const centreX = (((cell % columns) + Math.tanh(data[cells + cell]!)) / columns) * input.width;
      const centreY = ((Math.floor(cell / columns) + Math.tanh(data[2 * cells + cell]!)) / rows) * input.height;
      const halfWidth = (sigmoid(data[3 * cells + cell]!) * input.width) / 2;
      const halfHeight = (sigmoid(data[4 * cells + cell]!) * input.height) / 2;
      candidates.add(
        centreX - halfWidth,
        centreY - halfHeight,
        centreX + halfWidth,
        centreY + halfHeight,
        score,
        bestClass,
        cell,
      );
    }
    return toDetections(candidates, context);
  },
};

import { EdgeError } from '../../errors';
import { Candidates, notFinite } from '../candidates';
import { givesLogits, reportedClasses, searchStart, sigmoid, stridesOf, toDetections } from './detections';
import type { DetectionHead } from './head';
import { hasShape, imageSizeOf, outputOf, shapeError, sizeAt } from './outputs';

const STRIDES = [8, 16, 32];
/** Bins of the distance distribution of the published models: reg_max 7, distances 0 to 7 strides. */
const USUAL_BINS = 8;

/**
 * NanoDet-m: two outputs per stride, `cls_pred_stride_S` [1, cells, classes] (probabilities) and `dis_pred_stride_S`
 * [1, cells, 4 * bins], the distances to left, top, right, bottom as distributions over 0..bins-1 strides (Generalized Focal
 * Loss): distance = sum(bin * softmax(bins)) * stride, measured from the cell's centre (cell + 0.5) * stride - 0.5.
 *
 * Parameters: `strides`; `logits`; `classAgnostic`.
 */
export const nanodet: DetectionHead = {
  id: 'nanodet',
  task: 'detection',
  layout: '`cls_pred_stride_S` [1, cells, classes] and `dis_pred_stride_S` [1, cells, 32] for S = 8, 16, 32',
  source: 'github.com/RangiLyu/nanodet v0.4 nanodet/model/head/nanodet_head.py; Li et al., Generalized Focal Loss (2020)',
  // ImageNet's mean and deviation in the order blue, green, red.
  input: {
    colours: 'bgr',
    mean: [103.53, 116.28, 123.675],
    scale: [1 / 57.375, 1 / 57.12, 1 / 58.395],
    fit: 'letterbox',
    anchor: 'centre',
    padding: 0,
  },

  matches(inputs, outputs) {
    const size = imageSizeOf(inputs);
    return (
      size !== null &&
      outputs.length === 2 * STRIDES.length &&
      STRIDES.every((stride) => {
        const cells = Math.ceil(size.width / stride) * Math.ceil(size.height / stride);
        const classes = outputs.find((output) => output.name === `cls_pred_stride_${stride}`);
        const distances = outputs.find((output) => output.name === `dis_pred_stride_${stride}`);
        return hasShape(classes, [1, cells, null]) && hasShape(distances, [1, cells, 4 * USUAL_BINS]);
      })
    );
  },

  classCount: (outputs) => sizeAt(outputs, `cls_pred_stride_${STRIDES[0]}`, 3, 2),

  decode(outputs, context) {
    const { input, labels, settings } = context;
    const logits = givesLogits(settings);
    const start = searchStart(settings);
    const candidates = new Candidates();
    let reported: Uint16Array | undefined;

    let anchor = 0;
    for (const stride of stridesOf(settings, STRIDES)) {
      const across = Math.ceil(input.width / stride);
      const cells = across * Math.ceil(input.height / stride);
      const classes = outputOf(outputs, `cls_pred_stride_${stride}`, [1, cells, null]);
      const distances = outputOf(outputs, `dis_pred_stride_${stride}`, [1, cells, null]);
      const bins = distances.shape[2]! / 4;
      if (!Number.isInteger(bins) || bins < 2)
        throw shapeError(`dis_pred_stride_${stride}`, [1, cells, '4 * bins'], distances.shape);
      const count = classes.shape[2]!;
      reported ??= reportedClasses(labels, count);
      if (reported.some((index) => index >= count)) {
        throw new EdgeError(
          'EDGE_MODEL_OUTPUT_SHAPE',
          `"cls_pred_stride_${stride}" has ${count} classes, another stride has more`,
        );
      }
      for (let cell = 0; cell < cells; cell++, anchor++) {
        let best = start;
        let bestClass = -1;
        for (let k = 0; k < reported.length; k++) {
          const index = reported[k]!;
          const value = classes.data[cell * count + index]!;
          if (!(value <= best)) {
            if (Number.isNaN(value)) throw notFinite();
            best = value;
            bestClass = index;
          }
        }
        if (bestClass < 0) continue;
        const centreX = ((cell % across) + 0.5) * stride - 0.5;
        const centreY = (Math.floor(cell / across) + 0.5) * stride - 0.5;
        const at = cell * 4 * bins;
        candidates.add(
          centreX - expectation(distances.data, at, bins) * stride,
          centreY - expectation(distances.data, at + bins, bins) * stride,
          centreX + expectation(distances.data, at + 2 * bins, bins) * stride,
          centreY + expectation(distances.data, at + 3 * bins, bins) * stride,
          logits ? sigmoid(best) : best,
          bestClass,
          anchor,
        );
      }
    }
    return toDetections(candidates, context);
  },
};

/** Mean of the distribution softmax(data[from .. from + bins]) over 0..bins-1. */
function expectation(data: Float32Array, from: number, bins: number): number {
  let most = data[from]!;
  for (let bin = 1; bin < bins; bin++) most = Math.max(most, data[from + bin]!);
  let sum = 0;
  let weighted = 0;
  for (let bin = 0; bin < bins; bin++) {
    const weight = Math.exp(data[from + bin]! - most);
    sum += weight;
    weighted += weight * bin;
  }
  return weighted / sum;
}

import type { Keypoint } from '../../message/results';
import { Candidates, notFinite } from '../candidates';
import { scoreThresholdOf, stridesOf, toDetections } from './detections';
import type { DetectionHead } from './head';
import { couldHave, imageSizeOf, outputOf } from './outputs';

const STRIDES = [8, 16, 32];
/** Right and left are the person's. */
const NAMES = ['right eye', 'left eye', 'nose', 'right mouth corner', 'left mouth corner'];
const POINTS = NAMES.length;

/**
 * YuNet: per stride `cls_S` and `obj_S` [1, cells, 1] (probabilities), `bbox_S` [1, cells, 4] and `kps_S` [1, cells, 10].
 * Centre = (xy + cell) * stride, size = exp(wh) * stride, landmark = (xy + cell) * stride, score = sqrt(cls * obj).
 * Landmarks are the right eye, left eye, nose, right and left corner of the mouth, right and left being the person's.
 *
 * Parameters: `strides`.
 */
export const yunet: DetectionHead = {
  id: 'yunet',
  task: 'detection',
  layout: '`cls_S`, `obj_S` [1, cells, 1], `bbox_S` [1, cells, 4], `kps_S` [1, cells, 10] for S = 8, 16, 32',
  source: 'Wu, Peng, Yu, YuNet (2023); github.com/opencv/opencv modules/objdetect/src/face_detect.cpp postProcess',
  input: { colours: 'bgr', mean: [0, 0, 0], scale: [1, 1, 1], fit: 'letterbox', anchor: 'start', padding: 0 },
  labels: ['face'],

  // Twelve names that nobody else has: sizes may vary, as in the published model for any size.
  matches(inputs, outputs) {
    const size = imageSizeOf(inputs);
    const has = (name: string, cells: number | null, columns: number) =>
      couldHave(
        outputs.find((output) => output.name === name),
        [1, cells, columns],
      );
    return (
      inputs.length === 1 &&
      inputs[0]!.shape.length === 4 &&
      outputs.length === 4 * STRIDES.length &&
      STRIDES.every((stride) => {
        const cells = size && Math.ceil(size.width / stride) * Math.ceil(size.height / stride);
        return (
          has(`cls_${stride}`, cells, 1) &&
          has(`obj_${stride}`, cells, 1) &&
          has(`bbox_${stride}`, cells, 4) &&
          has(`kps_${stride}`, cells, 2 * POINTS)
        );
      })
    );
  },

  classCount: () => 1,

  decode(outputs, context) {
    const { input, settings } = context;
    const threshold = scoreThresholdOf(settings) ** 2;
    const candidates = new Candidates();
    const levels: { first: number; across: number; stride: number; landmarks: Float32Array }[] = [];

    let anchor = 0;
    for (const stride of stridesOf(settings, STRIDES)) {
      const across = Math.ceil(input.width / stride);
      const cells = across * Math.ceil(input.height / stride);
      const faces = outputOf(outputs, `cls_${stride}`, [1, cells, 1]).data;
      const objects = outputOf(outputs, `obj_${stride}`, [1, cells, 1]).data;
      const boxes = outputOf(outputs, `bbox_${stride}`, [1, cells, 4]).data;
      levels.push({ first: anchor, across, stride, landmarks: outputOf(outputs, `kps_${stride}`, [1, cells, 2 * POINTS]).data });
      for (let cell = 0; cell < cells; cell++, anchor++) {
        const product = clampToOne(faces[cell]!) * clampToOne(objects[cell]!);
        if (!(product >= threshold)) {
          if (Number.isNaN(product)) throw notFinite();
          continue;
        }
        const at = cell * 4;
        const centreX = ((cell % across) + boxes[at]!) * stride;
        const centreY = (Math.floor(cell / across) + boxes[at + 1]!) * stride;
        const halfWidth = (Math.exp(boxes[at + 2]!) * stride) / 2;
        const halfHeight = (Math.exp(boxes[at + 3]!) * stride) / 2;
        candidates.add(
          centreX - halfWidth,
          centreY - halfHeight,
          centreX + halfWidth,
          centreY + halfHeight,
          Math.sqrt(product),
          0,
          anchor,
        );
      }
    }

    return toDetections(candidates, context, (kept) => {
      const { first, across, stride, landmarks } = levels.findLast((level) => kept >= level.first)!;
      const cell = kept - first;
      const points: Keypoint[] = [];
      for (let point = 0; point < POINTS; point++) {
        const at = cell * 2 * POINTS + 2 * point;
        points.push({
          name: NAMES[point]!,
          x: (landmarks[at]! + (cell % across)) * stride,
          y: (landmarks[at + 1]! + Math.floor(cell / across)) * stride,
        });
      }
      return points;
    });
  },
};

/** OpenCV clamps both factors before the product. NaN stays NaN. */
function clampToOne(value: number): number {
  return Math.min(Math.max(value, 0), 1);
}

import { Candidates, notFinite } from '../candidates';
import { scoreThresholdOf, toDetections } from './detections';
import type { DetectionHead } from './head';
import { hasShape, imageSizeOf, outputOf } from './outputs';

/** Boxes per cell at each stride, of which the number of anchors follows: 4420 at 320x240, 17640 at 640x480. */
const LEVELS = [
  { stride: 8, boxes: 3 },
  { stride: 16, boxes: 2 },
  { stride: 32, boxes: 2 },
  { stride: 64, boxes: 3 },
];

/**
 * UltraFace (Ultra-Light-Fast-Generic-Face-Detector-1MB): `scores` [1, anchors, 2], background and face after softmax, and
 * `boxes` [1, anchors, 4], left, top, right, bottom relative to the picture, decoded in the graph.
 */
export const ultraface: DetectionHead = {
  id: 'ultraface',
  task: 'detection',
  layout: '`scores` [1, anchors, 2] and `boxes` [1, anchors, 4]',
  source: 'github.com/Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB run_video_face_detect_onnx.py predict',
  input: { colours: 'rgb', mean: [127, 127, 127], scale: [1 / 128, 1 / 128, 1 / 128], fit: 'stretch' },
  labels: ['face'],

  matches(inputs, outputs) {
    const size = imageSizeOf(inputs);
    if (!size || outputs.length !== 2) return false;
    const { width, height } = size;
    const anchors = LEVELS.reduce(
      (sum, { stride, boxes }) => sum + boxes * Math.ceil(width / stride) * Math.ceil(height / stride),
      0,
    );
    const scores = outputs.find((output) => output.name === 'scores');
    const boxes = outputs.find((output) => output.name === 'boxes');
    return hasShape(scores, [1, anchors, 2]) && hasShape(boxes, [1, anchors, 4]);
  },

  classCount: () => 1,

  decode(outputs, context) {
    const { input, settings } = context;
    const scores = outputOf(outputs, 'scores', [1, null, 2]);
    const anchors = scores.shape[1]!;
    const boxes = outputOf(outputs, 'boxes', [1, anchors, 4]).data;
    const threshold = scoreThresholdOf(settings);
    const candidates = new Candidates();
    for (let anchor = 0; anchor < anchors; anchor++) {
      const score = scores.data[2 * anchor + 1]!;
      if (!(score >= threshold)) {
        if (Number.isNaN(score)) throw notFinite();
        continue;
      }
      const at = 4 * anchor;
      candidates.add(
        boxes[at]! * input.width,
        boxes[at + 1]! * input.height,
        boxes[at + 2]! * input.width,
        boxes[at + 3]! * input.height,
        score,
        0,
        anchor,
      );
    }
    return toDetections(candidates, context);
  },
};

import { Candidates, notFinite } from '../candidates';
import { givesLogits, reportedClasses, searchStart, sigmoid, toDetections } from './detections';
import type { DetectionHead } from './head';
import { hasShape, imageSizeOf, outputOf, shapeError, sizeAt } from './outputs';

/**
 * SSD as TensorFlow's object detection models give it once their suppression is cut away: `scores` [1, anchors, classes]
 * (independent sigmoids) and `boxes` [1, anchors, 4], top, left, bottom, right relative to the picture, decoded in the graph.
 *
 * Labels go by column. COCO's 80 classes have ids from 1 to 90; a COCO model without its background column has 90 columns,
 * column = id - 1, and an empty label in the ten columns that COCO never used, which are then never reported. A model that
 * keeps the background has 91 columns and an empty label first.
 *
 * Parameters: `logits`; `classAgnostic`; `multiLabel` (false: an anchor is its best class, what a flow wants; true: it is every
 * class above the threshold, as in the published evaluation, worth 0.01 AP at a threshold of 0.01).
 */
export const ssd: DetectionHead = {
  id: 'ssd',
  task: 'detection',
  layout: '`scores` [1, anchors, classes] and `boxes` [1, anchors, 4]; decoded, not suppressed',
  source: 'Liu et al., SSD (2016); github.com/tensorflow/models research/object_detection/meta_architectures/ssd_meta_arch.py',
  // TensorFlow's SSDs differ in normalisation and some have it inside the graph: asked for, not guessed.
  input: null,

  // Two classes could be UltraFace, whose boxes are in another order: not claimed.
  matches(inputs, outputs) {
    const scores = outputs.find((output) => output.name === 'scores');
    const boxes = outputs.find((output) => output.name === 'boxes');
    if (!imageSizeOf(inputs) || outputs.length !== 2 || !hasShape(scores, [1, null, null])) return false;
    return Number(scores!.shape[2]) !== 2 && hasShape(boxes, [1, Number(scores!.shape[1]), 4]);
  },

  classCount: (outputs) => sizeAt(outputs, 'scores', 3, 2),

  decode(outputs, context) {
    const { input, labels, settings } = context;
    const scores = outputOf(outputs, 'scores', [1, null, null]);
    const [, anchors, count] = scores.shape as [number, number, number];
    if (count < 1 || count > 65_535) throw shapeError('scores', [1, anchors, 'classes'], scores.shape);
    const boxes = outputOf(outputs, 'boxes', [1, anchors, 4]).data;
    const classes = reportedClasses(labels, count);
    const logits = givesLogits(settings);
    const start = searchStart(settings);
    const candidates = new Candidates();
    const add = (anchor: number, index: number, value: number) => {
      const at = 4 * anchor;
      candidates.add(
        boxes[at + 1]! * input.width,
        boxes[at]! * input.height,
        boxes[at + 3]! * input.width,
        boxes[at + 2]! * input.height,
        logits ? sigmoid(value) : value,
        index,
        anchor,
      );
    };
    const multiLabel = settings.parameters?.multiLabel === true;
    for (let anchor = 0; anchor < anchors; anchor++) {
      let best = start;
      let bestClass = -1;
      const from = anchor * count;
      for (let k = 0; k < classes.length; k++) {
        const index = classes[k]!;
        const value = scores.data[from + index]!;
        if (!(value <= best)) {
          if (Number.isNaN(value)) throw notFinite();
          if (multiLabel) {
            add(anchor, index, value);
            continue;
          }
          best = value;
          bestClass = index;
        }
      }
      if (bestClass >= 0) add(anchor, bestClass, best);
    }
    return toDetections(candidates, context);
  },
};

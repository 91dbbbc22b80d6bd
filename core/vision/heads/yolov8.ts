import { Candidates, notFinite } from '../candidates';
import { givesLogits, reportedClasses, searchStart, sigmoid, toDetections } from './detections';
import type { DetectionHead, FamilyInput, HeadContext } from './head';
import { cellCount, type FloatOutput, hasShape, imageSizeOf, outputOf, shapeError, sizeAt, sizeWithout } from './outputs';

const STRIDES = [8, 16, 32];

/** How Ultralytics feeds its detectors and poses. */
export const ULTRALYTICS_INPUT: FamilyInput = {
  colours: 'rgb',
  mean: [0, 0, 0],
  scale: [1 / 255, 1 / 255, 1 / 255],
  fit: 'letterbox',
  anchor: 'centre',
  padding: 114,
};

/**
 * The layout of YOLOv8 and its successors up to v12 (and of YOLOv9): one output [1, 4 + classes, anchors] with rows
 * `cx, cy, w, h` in pixels of the input, then class probabilities, all decoded in the graph. Some exports are transposed,
 * [1, anchors, 4 + classes]: the side that fits the input, else the longer one, is the anchors.
 *
 * Parameters: `transposed` (true or false, where the sizes do not tell); `logits`; `classAgnostic`.
 */
export const yolov8: DetectionHead = {
  id: 'yolov8',
  task: 'detection',
  layout: '[1, 4 + classes, anchors], or transposed; decoded',
  source: 'docs.ultralytics.com/modes/export; github.com/ultralytics/ultralytics examples/YOLOv8-ONNXRuntime/main.py',
  input: ULTRALYTICS_INPUT,

  // A transposed export looks like YOLOX with one class more: the number of labels tells, or the user.
  matches(inputs, outputs, exporter) {
    if (exporter.endToEnd === true || outputs.length !== 1) return false;
    const rows = rowsOf(outputs[0]!.shape, imageSizeOf(inputs));
    if (rows !== null) return rows >= 5;
    // Sizes that are settled only in the run, of a file that says what it is.
    return exporter.task === 'detect' && outputs[0]!.shape.length === 3 && outputs[0]!.shape.some((size) => isOpen(size));
  },

  classCount(outputs, settings) {
    const sizes = [sizeAt(outputs, undefined, 3, 1), sizeAt(outputs, undefined, 3, 2)] as const;
    const transposed = settings?.parameters?.transposed;
    if (typeof transposed === 'boolean') return sizeWithout(sizes[transposed ? 1 : 0], 4);
    return sizes[0] === null || sizes[1] === null ? null : Math.min(sizes[0], sizes[1]) - 4;
  },

  decode(outputs, context) {
    const table = tableOf(outputOf(outputs, undefined, [1, null, null]), Object.keys(outputs)[0]!, context, 0);
    return toDetections(candidatesOf(table, context), context);
  },
};

/** The output as rows of values by anchor: `data[row * rowStep + anchor * anchorStep]`. */
export interface AnchorTable {
  data: Float32Array;
  anchors: number;
  /** Rows before those of something else (keypoints, mask coefficients): 4 + classes. */
  rows: number;
  rowStep: number;
  anchorStep: number;
}

/** @param others how many rows follow those of the classes. @throws EDGE_MODEL_OUTPUT_SHAPE */
export function tableOf(
  { shape, data }: FloatOutput,
  name: string,
  { input, settings }: HeadContext,
  others: number,
): AnchorTable {
  const transposed = settings.parameters?.transposed;
  const usual = cellCount(input, STRIDES);
  const longerLast = shape[1] === usual ? shape[2] === usual : shape[2] === usual || shape[2]! >= shape[1]!;
  const anchorsLast = typeof transposed === 'boolean' ? !transposed : longerLast;
  const [all, anchors] = anchorsLast ? [shape[1]!, shape[2]!] : [shape[2]!, shape[1]!];
  const rows = all - others;
  if (rows < 5 || rows > 65_539) throw shapeError(name, [1, `4 + classes${others > 0 ? ` + ${others}` : ''}`, 'anchors'], shape);
  return { data, anchors, rows, ...(anchorsLast ? { rowStep: anchors, anchorStep: 1 } : { rowStep: 1, anchorStep: all }) };
}

/** The boxes whose best class passes the score threshold. */
export function candidatesOf(table: AnchorTable, { labels, settings }: HeadContext): Candidates {
  const { data, anchors, rows, rowStep, anchorStep } = table;
  const classes = reportedClasses(labels, rows - 4);
  const logits = givesLogits(settings);
  const start = searchStart(settings);
  // The best class of every anchor. Class by class where a class is a row, so that memory is read in order.
  const best = new Float32Array(anchors).fill(start);
  const bestClass = new Int32Array(anchors).fill(-1);
  if (anchorStep === 1) {
    for (const index of classes) bestOfRow(data, (4 + index) * anchors, index, start, best, bestClass);
  } else {
    for (let anchor = 0; anchor < anchors; anchor++)
      bestOfAnchor(data, anchor * anchorStep + 4, anchor, classes, best, bestClass);
  }

  const candidates = new Candidates();
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
  return candidates;
}

/** How many rows a table of this shape has, by where the anchors of an input of this size stand; null where they do not. */
export function rowsOf(shape: readonly (number | string)[], size: { width: number; height: number } | null): number | null {
  if (!size) return null;
  const info = { name: '', type: 'float32' as const, shape };
  const anchors = cellCount(size, STRIDES);
  if (hasShape(info, [1, null, anchors])) return Number(shape[1]);
  return hasShape(info, [1, anchors, null]) ? Number(shape[2]) : null;
}

export function isOpen(size: number | string | undefined): boolean {
  return typeof size === 'string' || size === undefined || size < 1;
}

function bestOfRow(
  data: Float32Array,
  from: number,
  index: number,
  start: number,
  best: Float32Array,
  bestClass: Int32Array,
): void {
  const take = (first: number, end: number) => {
    for (let at = first; at < end; at++) {
      const value = data[at]!;
      if (value <= start || value <= best[at - from]!) continue;
      if (Number.isNaN(value)) throw notFinite();
      best[at - from] = value;
      bestClass[at - from] = index;
    }
  };
  const end = from + best.length;
  const fours = end - (best.length % 4);
  // Nearly always true for all four, which makes one pass over 84 x 8400 values a third quicker than one by one; NaN fails it.
  for (let at = from; at < fours; at += 4) {
    if (data[at]! <= start && data[at + 1]! <= start && data[at + 2]! <= start && data[at + 3]! <= start) continue;
    take(at, at + 4);
  }
  take(fours, end);
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

import { EdgeError } from '../../errors';
import type { Keypoint } from '../../message/results';
import type { HeadSettings } from '../../model/manifest';
import { Candidates, notFinite } from '../candidates';
import { scoreThresholdOf, sigmoid, stridesOf, toDetections } from './detections';
import type { DetectionHead, HeadContext, Outputs } from './head';
import { floatOutput, hasShape, imageSizeOf } from './outputs';

/** Right and left are the person's; the ears' points are the tragions. */
const NAMES = ['right eye', 'left eye', 'nose', 'mouth', 'right ear', 'left ear'];
/** centre x, centre y, width, height, then the points. */
const COLUMNS = 4 + 2 * NAMES.length;

/** MediaPipe's options of the published models: front (also called short range), back, full range. By the input's side. */
const OPTIONS: Readonly<Record<number, { strides: readonly number[]; anchorsPerCell: number }>> = {
  128: { strides: [8, 16, 16, 16], anchorsPerCell: 2 },
  256: { strides: [16, 32, 32, 32], anchorsPerCell: 2 },
  192: { strides: [4], anchorsPerCell: 1 },
};

interface Level {
  stride: number;
  /** Anchors of one cell. */
  perCell: number;
  across: number;
  first: number;
  count: number;
}

/**
 * BlazeFace: scores [1, anchors, 1] before their sigmoid and boxes [1, anchors, 16], both whole or in parts by stride (512 and
 * 384 of the front model's 896). Anchors are cell centres of size 1: centre = anchor + value, size = value, point = anchor +
 * value, in pixels of the input. The six points are the eyes, nose, mouth and ears.
 *
 * Parameters: `strides` (one entry per layer of anchors, those of one stride are merged) and `anchorsPerCell`, the published
 * models' by the size of the input.
 */
export const blazeface: DetectionHead = {
  id: 'blazeface',
  task: 'detection',
  layout: 'scores [1, 896, 1] and boxes [1, 896, 16], or their parts [1, 512, *] and [1, 384, *]; not decoded',
  source: 'Bazarevsky et al., BlazeFace (2019); mediapipe modules/face_detection, ssd_anchors_calculator.cc, fixed_anchor_size',
  input: {
    colours: 'rgb',
    mean: [127.5, 127.5, 127.5],
    scale: [1 / 127.5, 1 / 127.5, 1 / 127.5],
    fit: 'letterbox',
    anchor: 'centre',
    padding: 0,
  },
  labels: ['face'],

  matches(inputs, outputs) {
    const size = imageSizeOf(inputs);
    const options = size && size.width === size.height ? OPTIONS[size.width] : undefined;
    if (!size || !options || outputs.length === 0 || outputs.length % 2 !== 0) return false;
    const levels = levelsOf(size, options);
    const counts = outputs.length === 2 ? [total(levels)] : levels.map(({ count }) => count);
    return (
      outputs.length === 2 * counts.length &&
      counts.every((count) => [1, COLUMNS].every((columns) => outputs.some((output) => hasShape(output, [1, count, columns]))))
    );
  },

  classCount: () => 1,

  decode(outputs, context) {
    const { input, settings } = context;
    const levels = levelsOf(input, optionsOf(settings, context));
    const scores = joined(outputs, levels, 1);
    const boxes = joined(outputs, levels, COLUMNS);
    const threshold = scoreThresholdOf(settings);
    const candidates = new Candidates();
    for (const level of levels) {
      for (let index = 0; index < level.count; index++) {
        const anchor = level.first + index;
        const score = sigmoid(scores[anchor]!);
        if (!(score >= threshold)) {
          if (Number.isNaN(score)) throw notFinite();
          continue;
        }
        const at = anchor * COLUMNS;
        const centre = centreOf(level, index);
        const centreX = centre.x + boxes[at]!;
        const centreY = centre.y + boxes[at + 1]!;
        const halfWidth = boxes[at + 2]! / 2;
        const halfHeight = boxes[at + 3]! / 2;
        candidates.add(centreX - halfWidth, centreY - halfHeight, centreX + halfWidth, centreY + halfHeight, score, 0, anchor);
      }
    }
    return toDetections(candidates, context, (anchor) => {
      const level = levels.findLast(({ first }) => anchor >= first)!;
      const centre = centreOf(level, anchor - level.first);
      return NAMES.map((name, point): Keypoint => {
        const at = anchor * COLUMNS + 4 + 2 * point;
        return { name, x: centre.x + boxes[at]!, y: centre.y + boxes[at + 1]! };
      });
    });
  },
};

function optionsOf(settings: HeadSettings, { input }: HeadContext): (typeof OPTIONS)[number] {
  const usual = OPTIONS[input.width] ?? OPTIONS[128]!;
  const perCell = settings.parameters?.anchorsPerCell ?? usual.anchorsPerCell;
  if (typeof perCell !== 'number' || !Number.isInteger(perCell) || perCell < 1 || perCell > 16) {
    throw new EdgeError('EDGE_MODEL_MANIFEST', 'output.parameters.anchorsPerCell: expected a whole number from 1 to 16');
  }
  return { strides: stridesOf(settings, usual.strides), anchorsPerCell: perCell };
}

/** Layers of one stride share a grid: their anchors lie side by side in each cell. */
function levelsOf(input: { width: number; height: number }, options: (typeof OPTIONS)[number]): Level[] {
  const levels: Level[] = [];
  let first = 0;
  for (const stride of new Set(options.strides)) {
    const perCell = options.strides.filter((other) => other === stride).length * options.anchorsPerCell;
    const across = Math.ceil(input.width / stride);
    const count = across * Math.ceil(input.height / stride) * perCell;
    levels.push({ stride, perCell, across, first, count });
    first += count;
  }
  return levels;
}

function centreOf({ stride, perCell, across }: Level, index: number): { x: number; y: number } {
  const cell = Math.floor(index / perCell);
  return { x: ((cell % across) + 0.5) * stride, y: (Math.floor(cell / across) + 0.5) * stride };
}

/** The one output of so many columns, or its parts put together in the order of the levels. */
function joined(outputs: Outputs, levels: readonly Level[], columns: number): Float32Array {
  const anchors = total(levels);
  const whole = partOf(outputs, anchors, columns);
  if (whole) return whole;
  const all = new Float32Array(anchors * columns);
  for (const { first, count } of levels) {
    const part = levels.length > 1 ? partOf(outputs, count, columns) : undefined;
    if (!part) {
      const found = Object.entries(outputs).map(([name, { shape }]) => `"${name}" [${shape.join(', ')}]`);
      throw new EdgeError(
        'EDGE_MODEL_OUTPUT_SHAPE',
        `expected [1, ${anchors}, ${columns}] or its parts, got ${found.join(', ') || 'none'}`,
      );
    }
    all.set(part, first * columns);
  }
  return all;
}

function partOf(outputs: Outputs, anchors: number, columns: number): Float32Array | undefined {
  const found = Object.entries(outputs).find(([, { shape }]) => {
    return shape.length === 3 && shape[0] === 1 && shape[1] === anchors && shape[2] === columns;
  });
  return found && floatOutput(found[1], found[0]).data;
}

function total(levels: readonly Level[]): number {
  return levels.reduce((sum, { count }) => sum + count, 0);
}

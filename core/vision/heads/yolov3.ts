import { EdgeError } from '../../errors';
import type { HeadSettings } from '../../model/manifest';
import { Candidates, notFinite } from '../candidates';
import { givesLogits, reportedClasses, scoreThresholdOf, sigmoid, toDetections } from './detections';
import type { DetectionHead, Outputs } from './head';
import { floatOutput, hasShape, imageSizeOf } from './outputs';

type Anchor = readonly [width: number, height: number];

/** One feature map, whichever way its export lays it out: value v of anchor a at a cell is at `start(a, cell) + v * step`. */
interface FeatureMap {
  data: Float32Array;
  rows: number;
  columns: number;
  values: number;
  step: number;
  start(anchor: number, cell: number): number;
}

/**
 * The feature maps of anchor-based YOLOs before any decoding: [1, anchors * (5 + classes), rows, columns] per stride, or [1,
 * anchors, rows, columns, 5 + classes]. Per anchor `tx, ty, tw, th, objectness, classes`, all without their sigmoid.
 * YOLOv3 and v4: centre = (sigmoid(t) + cell) * stride, size = anchor * exp(t). YOLOv5 and v7: centre = (2 * sigmoid(t) - 0.5 +
 * cell) * stride, size = anchor * (2 * sigmoid(t))^2.
 *
 * Parameters: `anchors`, required, pixels of the input: per map, finest first, a list of [width, height]; `decoding`, `v3` (the
 * default) or `v5`; `logits` is false where objectness and classes have their sigmoid already; `classAgnostic`.
 */
export const yolov3: DetectionHead = {
  id: 'yolov3',
  task: 'detection',
  layout: 'a map [1, anchors * (5 + classes), rows, columns] or [1, anchors, rows, columns, 5 + classes] per stride; not decoded',
  source: 'Redmon, Farhadi, YOLOv3 (2018), 2.1; github.com/ultralytics/yolov5 models/yolo.py Detect.forward',
  // Darknet's and Ultralytics' exports differ.
  input: null,

  // The anchors are in no graph and v3 cannot be told from v5: only whoever has the model's description can choose this head.
  matches(inputs, outputs) {
    const size = imageSizeOf(inputs);
    if (!size || outputs.length < 2 || outputs.length > 4) return false;
    return outputs.every((output) => {
      const [rows, columns] = output.shape.length === 5 ? output.shape.slice(2, 4) : output.shape.slice(2);
      const stride = size.height / Number(rows);
      const expected = output.shape.length === 5 ? [1, null, null, null, null] : [1, null, null, null];
      return [8, 16, 32, 64].includes(stride) && size.width / stride === columns && hasShape(output, expected);
    });
  },

  classCount(outputs, settings) {
    const [first] = outputs;
    if (first?.shape.length === 5) return numberOr(first.shape[4], 5);
    const anchors = settings && Array.isArray(settings.parameters?.anchors) ? anchorsOf(settings)[0]!.length : 3;
    const columns = first?.shape.length === 4 ? numberOr(first.shape[1], 0) : null;
    return columns === null || columns % anchors !== 0 ? null : columns / anchors - 5;
  },

  decode(outputs, context) {
    const { input, labels, settings } = context;
    const anchors = anchorsOf(settings);
    const threshold = scoreThresholdOf(settings);
    const logits = settings.parameters?.logits === undefined || givesLogits(settings);
    const modern = settings.parameters?.decoding === 'v5';
    const maps = mapsOf(outputs, anchors);
    const classes = reportedClasses(labels, maps[0]!.values - 5);
    const candidates = new Candidates();
    let first = 0;
    for (const [level, map] of maps.entries()) {
      const strideX = input.width / map.columns;
      const strideY = input.height / map.rows;
      const cells = map.rows * map.columns;
      for (const [index, [width, height]] of anchors[level]!.entries()) {
        for (let cell = 0; cell < cells; cell++) {
          const at = map.start(index, cell);
          const { data, step } = map;
          const objectness = logits ? sigmoid(data[at + 4 * step]!) : data[at + 4 * step]!;
          if (!(objectness >= threshold)) {
            if (Number.isNaN(objectness)) throw notFinite();
            continue;
          }
          let best = -Infinity;
          let bestClass = -1;
          for (let k = 0; k < classes.length; k++) {
            const value = data[at + (5 + classes[k]!) * step]!;
            if (!(value <= best)) {
              if (Number.isNaN(value)) throw notFinite();
              best = value;
              bestClass = classes[k]!;
            }
          }
          const score = objectness * (logits ? sigmoid(best) : best);
          if (bestClass < 0 || score < threshold) continue;
          const x = sigmoid(data[at]!);
          const y = sigmoid(data[at + step]!);
          const centreX = ((modern ? 2 * x - 0.5 : x) + (cell % map.columns)) * strideX;
          const centreY = ((modern ? 2 * y - 0.5 : y) + Math.floor(cell / map.columns)) * strideY;
          const wide = data[at + 2 * step]!;
          const high = data[at + 3 * step]!;
          const halfWidth = (width * (modern ? (2 * sigmoid(wide)) ** 2 : Math.exp(wide))) / 2;
          const halfHeight = (height * (modern ? (2 * sigmoid(high)) ** 2 : Math.exp(high))) / 2;
          candidates.add(
            centreX - halfWidth,
            centreY - halfHeight,
            centreX + halfWidth,
            centreY + halfHeight,
            score,
            bestClass,
            first + index * cells + cell,
          );
        }
      }
      first += anchors[level]!.length * cells;
    }
    return toDetections(candidates, context);
  },
};

/** The maps from the finest to the coarsest, as the anchors are listed. @throws EDGE_MODEL_OUTPUT_SHAPE */
function mapsOf(outputs: Outputs, anchors: readonly (readonly Anchor[])[]): FeatureMap[] {
  const names = Object.keys(outputs);
  if (names.length !== anchors.length) {
    throw new EdgeError('EDGE_MODEL_OUTPUT_SHAPE', `${names.length} outputs, and anchors for ${anchors.length}`);
  }
  const finestFirst = names.sort((a, b) => cellsOf(outputs[b]!.shape) - cellsOf(outputs[a]!.shape));
  const maps = finestFirst.map((name, level) => {
    const { shape, data } = floatOutput(outputs[name]!, name);
    const count = anchors[level]!.length;
    const map = shape.length === 5 ? valuesLast(shape, data, count) : shape.length === 4 ? planes(shape, data, count) : null;
    if (!map || shape[0] !== 1 || map.values < 6 || map.values > 65_540) {
      const form = `[1, ${count} * (5 + classes), rows, columns] or [1, ${count}, rows, columns, 5 + classes]`;
      throw new EdgeError('EDGE_MODEL_OUTPUT_SHAPE', `"${name}" is [${shape.join(', ')}], expected ${form}`);
    }
    return map;
  });
  const [first] = maps;
  if (maps.some(({ values }) => values !== first!.values)) {
    throw new EdgeError('EDGE_MODEL_OUTPUT_SHAPE', 'the maps are not of equally many classes');
  }
  return maps;
}

function valuesLast(shape: readonly number[], data: Float32Array, count: number): FeatureMap | null {
  const [, anchors, rows, columns, values] = shape as [number, number, number, number, number];
  if (anchors !== count) return null;
  return { data, rows, columns, values, step: 1, start: (anchor, cell) => (anchor * rows * columns + cell) * values };
}

function planes(shape: readonly number[], data: Float32Array, count: number): FeatureMap | null {
  const [, channels, rows, columns] = shape as [number, number, number, number];
  const values = channels / count;
  if (!Number.isInteger(values)) return null;
  const cells = rows * columns;
  return { data, rows, columns, values, step: cells, start: (anchor, cell) => anchor * values * cells + cell };
}

function cellsOf(shape: readonly number[]): number {
  return (shape[2] ?? 0) * (shape[3] ?? 0);
}

/** @throws EDGE_MODEL_MANIFEST */
function anchorsOf({ parameters }: Partial<HeadSettings>): readonly (readonly Anchor[])[] {
  const said = parameters?.anchors;
  const isAnchor = (value: unknown) =>
    Array.isArray(value) && value.length === 2 && value.every((side) => typeof side === 'number' && side > 0 && side <= 8192);
  const valid =
    Array.isArray(said) &&
    said.length > 0 &&
    said.length <= 8 &&
    said.every((level) => Array.isArray(level) && level.length > 0 && level.length <= 16 && level.every(isAnchor));
  if (valid) return said as Anchor[][];
  throw new EdgeError(
    'EDGE_MODEL_MANIFEST',
    'output.parameters.anchors: expected per map, finest first, a list of [width, height] in pixels',
    { mend: "They stand in the model's configuration file" },
  );
}

function numberOr(size: number | string | undefined, less: number): number | null {
  return typeof size === 'number' && size > less ? size - less : null;
}

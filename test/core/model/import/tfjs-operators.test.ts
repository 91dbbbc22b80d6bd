import type { TensorValue } from '../../../../core/message/tensor';
import { importTfjs } from '../../../../core/model/import/tfjs';
import { OPERATORS } from '../../../../core/model/import/tfjs-operators';
import { runModel } from '../onnx/run';
import { b, f, float, i, int, ints, madeGraph, modelJson, s, tensorflow, texts, type, weightBytes } from './tfjs-model';

interface Case {
  op: string;
  about?: string;
  /** Fed: x, y. Constant: all others, in the order of the operator's inputs. */
  inputs: Record<string, TensorValue>;
  attr?: Record<string, unknown>;
  outputs?: number;
}

const picture = float([1, 7, 6, 4]);
const positive = float([2, 3], [0.5, 1, 2, 3, 4, 5]);
const whole = int([6], [-7, -3, -1, 1, 3, 7]);
const SAME = { padding: s('SAME') };
const VALID = { padding: s('VALID') };
const strides = (step: number) => ({ strides: ints(1, step, step, 1), dilations: ints(1, 1, 1, 1) });
const statistics = { scale: float([4]), offset: float([4]), mean: float([4]), variance: float([4], [0.5, 1, 2, 3]) };

const cases: Case[] = [
  { op: 'Add', inputs: { x: picture, bias: float([4]) } },
  { op: 'AddV2', inputs: { x: float([2, 3]), y: float([1, 3]) } },
  { op: 'AddN', inputs: { x: picture, y: picture, z: picture } },
  { op: 'BiasAdd', inputs: { x: picture, bias: float([4]) } },
  { op: 'Sub', inputs: { one: float([], [1]), x: picture } },
  { op: 'Mul', inputs: { x: picture, factor: float([7, 1, 4]) } },
  { op: 'RealDiv', inputs: { x: float([2, 3]), y: positive } },
  { op: 'Div', inputs: { x: float([2, 3]), y: positive } },
  { op: 'Maximum', inputs: { x: picture, floor: float([], [0.25]) } },
  { op: 'Minimum', inputs: { x: picture, ceiling: float([], [0.25]) } },
  { op: 'FloorDiv', about: 'whole numbers', inputs: { x: whole, by: int([], [3]) } },
  { op: 'FloorDiv', about: 'fractions', inputs: { x: float([2, 3]), y: positive } },
  { op: 'FloorMod', about: 'whole numbers', inputs: { x: whole, by: int([], [3]) } },
  { op: 'FloorMod', about: 'fractions', inputs: { x: float([2, 3]), y: positive } },
  { op: 'SquaredDifference', inputs: { x: picture, y: float([1, 7, 6, 1]) } },
  { op: 'Equal', inputs: { x: whole, y: int([6], [-7, 0, -1, 0, 3, 0]) } },
  { op: 'Greater', inputs: { x: picture, than: float([], [0.5]) } },
  { op: 'Less', inputs: { x: picture, than: float([], [0.5]) } },
  { op: 'Exp', inputs: { x: picture } },
  { op: 'Sqrt', inputs: { x: positive } },
  { op: 'Neg', inputs: { x: picture } },
  { op: 'Floor', inputs: { x: picture } },
  { op: 'Sigmoid', inputs: { x: picture } },
  { op: 'Tanh', inputs: { x: picture } },
  { op: 'Relu', inputs: { x: picture } },
  { op: 'Relu6', inputs: { x: float([2, 3], [-1, 0, 3, 6, 7, 100]) } },
  { op: 'Softmax', inputs: { x: float([2, 5]) } },
  ...[1, 2, 3].flatMap((step) =>
    [SAME, VALID].map(
      (padding): Case => ({
        op: 'Conv2D',
        about: `stride ${step}, ${padding === SAME ? 'SAME' : 'VALID'}`,
        inputs: { x: picture, filter: float([3, 3, 4, 5]) },
        attr: { ...strides(step), ...padding },
      }),
    ),
  ),
  {
    op: 'Conv2D',
    about: 'dilated',
    inputs: { x: picture, filter: float([3, 3, 4, 2]) },
    attr: { ...strides(1), ...SAME, dilations: ints(1, 2, 2, 1) },
  },
  {
    op: 'Conv2D',
    about: 'with paddings of its own',
    inputs: { x: picture, filter: float([3, 2, 4, 2]) },
    attr: { ...strides(2), padding: s('EXPLICIT'), explicit_paddings: ints(0, 0, 2, 0, 1, 1, 0, 0) },
  },
  {
    op: '_FusedConv2D',
    inputs: { x: picture, filter: float([1, 1, 4, 3]), bias: float([3]) },
    attr: { ...strides(1), ...SAME, fused_ops: texts('BiasAdd', 'Relu6'), num_args: i(1) },
  },
  { op: 'DepthwiseConv2dNative', inputs: { x: picture, filter: float([3, 3, 4, 2]) }, attr: { ...strides(2), ...SAME } },
  {
    op: 'FusedDepthwiseConv2dNative',
    inputs: { x: picture, filter: float([3, 3, 4, 1]), bias: float([4]) },
    attr: { ...strides(1), ...SAME, fused_ops: texts('BiasAdd', 'Relu'), num_args: i(1) },
  },
  { op: 'MaxPool', inputs: { x: picture }, attr: { ksize: ints(1, 3, 3, 1), ...strides(2), ...SAME } },
  { op: 'AvgPool', inputs: { x: picture }, attr: { ksize: ints(1, 2, 2, 1), ...strides(2), ...SAME } },
  ...['FusedBatchNorm', 'FusedBatchNormV2', 'FusedBatchNormV3'].map(
    (op): Case => ({ op, inputs: { x: picture, ...statistics }, attr: { epsilon: f(0.01), is_training: b(false) } }),
  ),
  ...[
    { align_corners: b(false), half_pixel_centers: b(false) },
    { align_corners: b(true), half_pixel_centers: b(false) },
    { align_corners: b(false), half_pixel_centers: b(true) },
  ].flatMap((attr, at) =>
    ['ResizeBilinear', 'ResizeNearestNeighbor'].map(
      (op): Case => ({
        op,
        about: ['plain', 'corners', 'half pixels'][at]!,
        inputs: { x: picture, size: int([2], [14, 9]) },
        attr,
      }),
    ),
  ),
  { op: 'Reshape', inputs: { x: picture, shape: int([3], [6, -1, 4]) } },
  { op: 'ExpandDims', inputs: { x: float([2, 3]), axis: int([], [-1]) } },
  { op: 'Squeeze', inputs: { x: float([1, 2, 1, 3]) }, attr: { squeeze_dims: ints(0, 2) } },
  { op: 'Transpose', inputs: { x: float([2, 3, 4]), order: int([3], [2, 0, 1]) } },
  { op: 'ConcatV2', inputs: { x: picture, y: picture, axis: int([], [-1]) }, attr: { N: i(2) } },
  { op: 'Pack', inputs: { x: float([2, 3]), y: float([2, 3]) }, attr: { axis: i(1) } },
  { op: 'Unpack', inputs: { x: float([2, 3]) }, attr: { axis: i(-1), num: i(3) }, outputs: 3 },
  { op: 'Slice', inputs: { x: float([4, 5]), begin: int([2], [1, 2]), size: int([2], [2, -1]) } },
  {
    op: 'StridedSlice',
    about: 'backwards and open',
    inputs: { x: float([4, 5, 3]), begin: int([3], [1, 4, 9]), end: int([3], [-1, 0, 0]), steps: int([3], [1, -2, 1]) },
    attr: { end_mask: i(4), begin_mask: i(4) },
  },
  {
    op: 'StridedSlice',
    about: 'shrunk',
    inputs: { x: float([4, 5, 3]), begin: int([2], [-1, 1]), end: int([2], [0, 3]), steps: int([2], [1, 1]) },
    attr: { shrink_axis_mask: i(1) },
  },
  {
    op: 'StridedSlice',
    about: 'to the very first',
    inputs: { x: float([5]), begin: int([1], [3]), end: int([1], [0]), steps: int([1], [-1]) },
    attr: { end_mask: i(1) },
  },
  {
    op: 'StridedSlice',
    about: 'with a new axis and an ellipsis',
    inputs: { x: float([4, 5, 3]), begin: int([3], [0, 0, 1]), end: int([3], [0, 0, 2]), steps: int([3], [1, 1, 1]) },
    attr: { new_axis_mask: i(1), ellipsis_mask: i(2) },
  },
  { op: 'Tile', inputs: { x: float([2, 3]), repeats: int([2], [2, 1]) } },
  { op: 'GatherV2', inputs: { x: float([4, 3]), y: int([2], [3, 1]), axis: int([], [0]) } },
  { op: 'GatherNd', inputs: { x: float([4, 3, 2]), y: int([2, 2], [3, 1, 0, 2]) } },
  { op: 'Mean', about: 'of a picture', inputs: { x: picture, axes: int([2], [1, 2]) }, attr: { keep_dims: b(true) } },
  { op: 'Mean', about: 'of a row', inputs: { x: float([2, 3]), axes: int([1], [-1]) }, attr: { keep_dims: b(false) } },
  { op: 'ArgMax', inputs: { x: float([2, 5]), axis: int([], [1]) } },
  { op: 'TopKV2', inputs: { x: float([2, 9]), count: int([], [4]) }, attr: { sorted: b(true) }, outputs: 2 },
  { op: 'Identity', inputs: { x: picture } },
  { op: 'StopGradient', inputs: { x: picture } },
  { op: 'Cast', inputs: { x: picture }, attr: { SrcT: type('DT_FLOAT'), DstT: type('DT_INT32') } },
  { op: 'Shape', inputs: { x: picture } },
];

const CHANNEL_OPERATORS = [
  'Add',
  'Sub',
  'Mul',
  'SquaredDifference',
  'Relu',
  'Sigmoid',
  'MaxPool',
  'ConcatV2',
  'Reshape',
  'Mean',
  'AddN',
  'FusedBatchNorm',
];

describe('a TensorFlow operator becomes ONNX that computes the same', () => {
  it.each(cases.map((each): [string, Case] => [each.about ? `${each.op}: ${each.about}` : each.op, each]))(
    '%s',
    async (_, each) => {
      await expectSame(each);
    },
  );

  it.each(cases.filter(({ op }) => CHANNEL_OPERATORS.includes(op)).map((each): [string, Case] => [each.op, each]))(
    'behind a convolution, where it runs channels first: %s',
    async (_, each) => {
      await expectSame(each, true);
    },
  );

  it('has a case for every operator of the table', () => {
    expect([...new Set(cases.map(({ op }) => op))].sort()).toEqual(Object.keys(OPERATORS).sort());
  });
});

async function expectSame({ op, inputs, attr = {}, outputs = 1 }: Case, behindConvolution = false): Promise<void> {
  const fed = Object.fromEntries(Object.entries(inputs).filter(([name]) => name === 'x' || name === 'y'));
  const weights = Object.fromEntries(Object.entries(inputs).filter(([name]) => name !== 'x' && name !== 'y'));
  const element = Object.values(inputs)[0]!.type === 'int32' ? 'DT_INT32' : 'DT_FLOAT';
  const convolve = behindConvolution && inputs.x!.shape.length === 4;
  const names = Object.keys(inputs).map((name) => (name === 'x' && convolve ? 'convolved' : name));
  if (convolve) weights.kernel = float([1, 1, 4, 4]);
  const before = {
    name: 'convolved',
    op: 'Conv2D',
    input: ['x', 'kernel'],
    attr: { ...strides(1), ...SAME, T: type('DT_FLOAT') },
  };
  const model = {
    nodes: [...(convolve ? [before] : []), { name: 'tested', op, input: names, attr: { T: type(element), ...attr } }],
    weights,
    outputs: Array.from({ length: outputs }, (_, at) => (at === 0 ? 'tested' : `tested:${at}`)),
  };
  const wanted = await tensorflow(modelJson(model, fed), weightBytes(model), fed, model.outputs);
  const got = await runModel(importTfjs(madeGraph(model, fed)), fed);
  wanted.forEach((values, at) => {
    const found = Float32Array.from(got[model.outputs[at]!]!.data, Number);
    expect(found).toHaveLength(values.length);
    values.forEach((value, index) => {
      expect(Math.abs(found[index]! - value)).toBeLessThan(1e-4 * Math.max(1, Math.abs(value)));
    });
  });
}

import { dataType, floats } from '../onnx/tensor';
import { cast, combine } from './arrays';
import { elementwise, relu6, unary } from './elementwise';
import type { GraphBuilder, Value } from './graph-builder';
import { axisAt, fromFront, inputAt, numbersAt, type Operator, unsupported } from './operator';
import { averagePool, convolution, depthwise, maxPool } from './tfjs-convolution';
import { elementTypeOf, flag, number, type TfjsNode } from './tfjs-file';
import {
  concatenate,
  expandDims,
  gather,
  gatherNd,
  pack,
  reshapeTo,
  shapeOf,
  sliceOf,
  squeeze,
  stridedSlice,
  tileOf,
  transposed,
  unpack,
} from './tfjs-movement';

const add = elementwise('Add', (a, b) => a + b);
const subtract = elementwise('Sub', (a, b) => a - b);
const multiply = elementwise('Mul', (a, b) => a * b);
const divide = elementwise('Div', (a, b) => a / b);

/** The one list of operators: what is not in it is refused by name. */
export const OPERATORS: Readonly<Record<string, Operator>> = {
  // arithmetic
  Add: add,
  AddV2: add,
  BiasAdd: add,
  AddN: (node, inputs, graph) => [inputs.reduce((sum, value) => add(node, [sum, value], graph)[0]!)],
  Sub: subtract,
  Mul: multiply,
  RealDiv: divide,
  Div: divide,
  Maximum: elementwise('Max', Math.max),
  Minimum: elementwise('Min', Math.min),
  FloorDiv: floorDivide,
  FloorMod: floorModulo,
  SquaredDifference: (node, inputs, graph) => {
    const difference = subtract(node, inputs, graph)[0]!;
    return multiply(node, [difference, difference], graph);
  },
  Equal: elementwise('Equal', (a, b) => Number(a === b), 'bool'),
  Greater: elementwise('Greater', (a, b) => Number(a > b), 'bool'),
  Less: elementwise('Less', (a, b) => Number(a < b), 'bool'),
  Exp: unary('Exp'),
  Sqrt: unary('Sqrt', Math.sqrt),
  Neg: unary('Neg', (a) => -a),
  Floor: unary('Floor', Math.floor),
  // activations
  Sigmoid: unary('Sigmoid'),
  Tanh: unary('Tanh'),
  Relu: unary('Relu'),
  Relu6: relu6,
  Softmax: (_, [value], graph) => [
    graph.emit('Softmax', [graph.name(value!)], { type: value!.type, shape: value!.shape }, { axis: -1 }),
  ],
  // convolutions and pools
  Conv2D: convolution,
  _FusedConv2D: convolution,
  DepthwiseConv2dNative: depthwise,
  FusedDepthwiseConv2dNative: depthwise,
  MaxPool: maxPool,
  AvgPool: averagePool,
  FusedBatchNorm: batchNorm,
  FusedBatchNormV2: batchNorm,
  FusedBatchNormV3: batchNorm,
  ResizeBilinear: (node, inputs, graph) => [resize(node, inputs, graph, 'linear')],
  ResizeNearestNeighbor: (node, inputs, graph) => [resize(node, inputs, graph, 'nearest')],
  // movement
  Shape: shapeOf,
  Reshape: reshapeTo,
  ExpandDims: expandDims,
  Squeeze: squeeze,
  Transpose: transposed,
  ConcatV2: concatenate,
  Pack: pack,
  Unpack: unpack,
  Slice: sliceOf,
  StridedSlice: stridedSlice,
  Tile: tileOf,
  GatherV2: gather,
  GatherNd: gatherNd,
  // reductions and selections
  Mean: mean,
  ArgMax: argMax,
  TopKV2: topK,
  // nothing but a name or a type
  Identity: (_, inputs) => [inputs[0]!],
  StopGradient: (_, inputs) => [inputs[0]!],
  Cast: castTo,
};

function floorDivide(node: TfjsNode, inputs: Value[], graph: GraphBuilder): Value[] {
  const [one, other] = inputs as [Value, Value];
  if (one.constant && other.constant) {
    return [graph.constant(combine(one.constant, other.constant, (a, b) => Math.floor(a / b)))];
  }
  if (one.type === 'float32') return unary('Floor')(node, divide(node, inputs, graph), graph);
  // Whole numbers are divided towards zero; taking the remainder off first makes it towards minus infinity.
  const whole = subtract(node, [one, floorModulo(node, inputs, graph)[0]!], graph)[0]!;
  return divide(node, [whole, other], graph);
}

function floorModulo(node: TfjsNode, inputs: Value[], graph: GraphBuilder): Value[] {
  const [one, other] = inputs as [Value, Value];
  if (one.type !== 'float32') return elementwise('Mod', (a, b) => a - b * Math.floor(a / b))(node, inputs, graph);
  const whole = floorDivide(node, inputs, graph)[0]!;
  return subtract(node, [one, multiply(node, [whole, other], graph)[0]!], graph);
}

/** scale * (x - mean) / sqrt(variance + epsilon) + offset, as one product and one sum, which a convolution before it absorbs. */
function batchNorm(node: TfjsNode, inputs: Value[], graph: GraphBuilder): Value[] {
  if (flag(node, 'is_training')) throw unsupported(node, 'in training');
  const [scale, offset, average, variance] = [1, 2, 3, 4].map((at) => numbersAt(node, inputs, at));
  const epsilon = number(node, 'epsilon', 1e-3);
  const factor = floats(scale!.map((s, at) => s / Math.sqrt(variance![at]! + epsilon)));
  const shift = floats(offset!.map((o, at) => o - average![at]! * (scale![at]! / Math.sqrt(variance![at]! + epsilon))));
  const scaled = multiply(node, [inputAt(node, inputs, 0), graph.constant(factor)], graph);
  return add(node, [scaled[0]!, graph.constant(shift)], graph);
}

function resize(node: TfjsNode, inputs: Value[], graph: GraphBuilder, mode: 'linear' | 'nearest'): Value {
  const value = inputAt(node, inputs, 0);
  const [batch, , , channels] = value.shape;
  const [height, width] = numbersAt(node, inputs, 1);
  const corners = flag(node, 'align_corners');
  const half = flag(node, 'half_pixel_centers');
  const sizes = graph.integers([batch!, channels!, height!, width!]);
  return graph.emit(
    'Resize',
    [graph.channelsFirst(value), '', '', sizes],
    { type: value.type, shape: [batch!, height!, width!, channels!], channelsFirst: true },
    {
      mode,
      coordinate_transformation_mode: corners ? 'align_corners' : half ? 'half_pixel' : 'asymmetric',
      nearest_mode: mode === 'nearest' ? (corners || half ? 'round_prefer_ceil' : 'floor') : undefined,
    },
  );
}

function mean(node: TfjsNode, inputs: Value[], graph: GraphBuilder): Value[] {
  const { type, shape } = inputAt(node, inputs, 0);
  const over = numbersAt(node, inputs, 1).map((axis) => fromFront(node, axis, shape.length));
  const keep = flag(node, 'keep_dims');
  const kept = shape.map((size, axis) => (over.includes(axis) ? 1 : size));
  const overPicture = shape.length === 4 && over.length === 2 && over.includes(1) && over.includes(2);
  if (overPicture && keep) {
    return [graph.emit('GlobalAveragePool', [graph.channelsFirst(inputs[0]!)], { type, shape: kept, channelsFirst: true })];
  }
  const left = keep ? kept : shape.filter((_, axis) => !over.includes(axis));
  return [graph.emit('ReduceMean', [graph.name(inputs[0]!)], { type, shape: left }, { axes: over, keepdims: Number(keep) })];
}

function argMax(node: TfjsNode, inputs: Value[], graph: GraphBuilder): Value[] {
  const value = inputAt(node, inputs, 0);
  const axis = axisAt(node, inputs, 1, value.shape.length);
  const shape = value.shape.toSpliced(axis, 1);
  return [toInt32(graph.emit('ArgMax', [graph.name(value)], { type: 'int64', shape }, { axis, keepdims: 0 }), graph)];
}

function topK(node: TfjsNode, inputs: Value[], graph: GraphBuilder): Value[] {
  const value = inputAt(node, inputs, 0);
  const count = numbersAt(node, inputs, 1)[0] ?? 1;
  const shape = value.shape.with(-1, count);
  const [values, indices] = graph.emitMany('TopK', [graph.name(value), graph.integers([count])], 2, { axis: -1, sorted: 1 });
  return [{ type: value.type, shape, plain: values! }, toInt32({ type: 'int64', shape, plain: indices! }, graph)];
}

function castTo(node: TfjsNode, inputs: Value[], graph: GraphBuilder): Value[] {
  const value = inputAt(node, inputs, 0);
  const type = elementTypeOf(node, 'DstT');
  if (value.constant) return [graph.constant(cast(value.constant, type))];
  if (value.type === type) return [value];
  return [graph.emit('Cast', [graph.name(value)], { type, shape: value.shape }, { to: dataType(type) })];
}

function toInt32(value: Value, graph: GraphBuilder): Value {
  return graph.emit('Cast', [graph.name(value)], { type: 'int32', shape: value.shape }, { to: dataType('int32') });
}

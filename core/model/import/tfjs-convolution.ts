import { type ElementType, elementCount } from '../../message/tensor';
import { reshape, transpose } from './arrays';
import { activation, elementwise } from './elementwise';
import type { GraphBuilder, Value } from './graph-builder';
import { constantAt, inputAt, type Operator, unsupported } from './operator';
import { list, type TfjsNode, text } from './tfjs-file';

const addBias = elementwise('Add', (a, b) => a + b);

/** Filter [height, width, in, out]. */
export const convolution: Operator = (node, inputs, graph) => {
  const filter = constantAt(node, inputs, 1);
  const groups = inputAt(node, inputs, 0).shape[3]! / filter.shape[2]!;
  const weights = graph.initializer(transpose(filter, [3, 2, 0, 1]));
  return convolve(node, inputs, graph, { weights, kernel: filter.shape.slice(0, 2), channels: filter.shape[3]!, groups });
};

/** Filter [height, width, in, multiplier]; output channel c * multiplier + m reads input channel c. */
export const depthwise: Operator = (node, inputs, graph) => {
  const filter = constantAt(node, inputs, 1);
  const [height, width, groups, multiplier] = filter.shape as [number, number, number, number];
  const channels = groups * multiplier;
  const weights = graph.initializer(transpose(reshape(filter, [height, width, 1, channels]), [3, 2, 0, 1]));
  return convolve(node, inputs, graph, { weights, kernel: [height, width], channels, groups });
};

export const maxPool: Operator = (node, inputs, graph) => [pool('MaxPool', node, inputs, graph, {})];

/** TensorFlow leaves padding out of the average. */
export const averagePool: Operator = (node, inputs, graph) => [
  pool('AveragePool', node, inputs, graph, { count_include_pad: 0 }),
];

interface Filter {
  /** Name of the weights, [out, in per group, height, width]. */
  weights: string;
  kernel: readonly number[];
  channels: number;
  groups: number;
}

function convolve(node: TfjsNode, inputs: Value[], graph: GraphBuilder, { weights, kernel, channels, groups }: Filter): Value[] {
  const value = inputAt(node, inputs, 0);
  const window = placeWindow(node, value, kernel);
  const convolved = graph.emit('Conv', [graph.channelsFirst(value), weights], window.result(value.type, channels), {
    kernel_shape: kernel,
    strides: window.strides,
    dilations: window.dilations,
    pads: window.pads,
    group: groups,
  });
  return [fused(node, inputs, convolved, graph)];
}

/** What a fused convolution does after it: first a bias, then an activation. */
function fused(node: TfjsNode, inputs: Value[], value: Value, graph: GraphBuilder): Value {
  return list<string>(node, 'fused_ops').reduce((result, name) => {
    if (name === 'BiasAdd') return addBias(node, [result, inputAt(node, inputs, 2)], graph)[0]!;
    return activation(name, node, result, graph);
  }, value);
}

function pool(opType: string, node: TfjsNode, inputs: Value[], graph: GraphBuilder, attributes: Record<string, number>): Value {
  const value = inputAt(node, inputs, 0);
  const kernel = list<number>(node, 'ksize').slice(1, 3);
  const { strides, pads, result } = placeWindow(node, value, kernel);
  const all = { ...attributes, kernel_shape: kernel, strides, pads };
  return graph.emit(opType, [graph.channelsFirst(value)], result(value.type, value.shape[3]!), all);
}

/**
 * Where a window moves. TensorFlow's SAME pads so that ceil(size / stride) windows fit, the odd pixel at the end; as numbers,
 * since the sizes are known.
 */
function placeWindow(node: TfjsNode, { shape }: Value, kernel: readonly number[]) {
  if (text(node, 'data_format', 'NHWC') !== 'NHWC') throw unsupported(node, 'channels first');
  if (shape.length !== 4) throw unsupported(node, `an input of ${shape.length} dimensions`);
  const strides = pictureSizes(list<number>(node, 'strides'));
  const dilations = pictureSizes(list<number>(node, 'dilations'));
  const padding = text(node, 'padding', 'VALID');
  const explicit = list<number>(node, 'explicit_paddings');
  const sides = [0, 1].map((side) => {
    const size = shape[side + 1]!;
    const reach = (kernel[side]! - 1) * dilations[side]! + 1;
    const [before, after] =
      padding === 'SAME'
        ? same(size, reach, strides[side]!)
        : padding === 'EXPLICIT'
          ? [explicit[2 + side * 2]!, explicit[3 + side * 2]!]
          : [0, 0];
    return { before, after, count: Math.floor((size + before! + after! - reach) / strides[side]!) + 1 };
  });
  const [rows, columns] = sides as [(typeof sides)[0], (typeof sides)[0]];
  return {
    strides,
    dilations,
    pads: [rows.before!, columns.before!, rows.after!, columns.after!],
    result: (type: ElementType, channels: number) => {
      const output = [shape[0]!, rows.count, columns.count, channels];
      if (elementCount(output) <= 0) throw unsupported(node, `a window larger than its input [${shape.join(', ')}]`);
      return { type, shape: output, channelsFirst: true };
    },
  };
}

function same(size: number, reach: number, stride: number): [before: number, after: number] {
  const total = Math.max((Math.ceil(size / stride) - 1) * stride + reach - size, 0);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}

/** Strides and dilations are written for all four dimensions, or for two, or not at all. */
function pictureSizes(sizes: readonly number[]): number[] {
  return sizes.length === 4 ? sizes.slice(1, 3) : sizes.length === 2 ? [...sizes] : [1, 1];
}

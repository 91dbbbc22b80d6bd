/**
 * Writes small ONNX graphs, so that tests and benches run where no model lies: just enough of onnx.proto (ONNX 1.16, IR 8).
 */
import type { ElementType } from '../../core/message/tensor';

/** TensorProto.DataType of onnx.proto. */
const DATA_TYPES: Readonly<Record<ElementType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
};

export interface GraphValue {
  name: string;
  type?: ElementType;
  /** A string is a dimension that may vary. */
  shape: readonly (number | string)[];
}

export interface GraphNode {
  operator: string;
  inputs: readonly string[];
  outputs: readonly string[];
  integers?: Readonly<Record<string, number | readonly number[]>>;
  /** Bodies of loops and branches. */
  graphs?: Readonly<Record<string, Graph>>;
}

export interface Constant {
  name: string;
  shape: readonly number[];
  values: Float32Array | BigInt64Array;
  /** Where the bytes are said to lie in another file, instead of in this one. */
  externalFile?: string;
}

export interface Graph {
  inputs: readonly GraphValue[];
  outputs: readonly GraphValue[];
  nodes: readonly GraphNode[];
  constants?: readonly Constant[];
}

export function onnxModel(graph: Graph, opset = 17): Uint8Array {
  return message(varint(1, 8), text(2, 'edgeloom-tests'), nested(7, ...graphFields(graph)), nested(8, varint(2, opset)));
}

/**
 * A convolutional network on one RGB picture: `layers` convolutions of `channels` channels after a first one with stride 2,
 * then a mean over the picture and a sum of its channels. Input `image` float32 [1, 3, size, size], output `scores` [1, channels].
 */
export function convolutionalModel(size: number, channels: number, layers: number): Uint8Array {
  const nodes: GraphNode[] = [];
  const constants: Constant[] = [];
  const random = mulberry(7);
  let from = 'image';
  for (let layer = 0; layer < layers; layer++) {
    const inputs = layer === 0 ? 3 : channels;
    const weight = `weight${layer}`;
    const values = Float32Array.from({ length: channels * inputs * 9 }, () => (random() - 0.5) / Math.sqrt(inputs * 2));
    constants.push({ name: weight, shape: [channels, inputs, 3, 3], values });
    nodes.push({
      operator: 'Conv',
      inputs: [from, weight],
      outputs: [`sum${layer}`],
      integers: { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: layer === 0 ? [2, 2] : [1, 1] },
    });
    nodes.push({ operator: 'Relu', inputs: [`sum${layer}`], outputs: [`active${layer}`] });
    from = `active${layer}`;
  }
  nodes.push({ operator: 'GlobalAveragePool', inputs: [from], outputs: ['mean'] });
  nodes.push({ operator: 'Flatten', inputs: ['mean'], outputs: ['scores'], integers: { axis: 1 } });
  return onnxModel({
    inputs: [{ name: 'image', shape: [1, 3, size, size] }],
    outputs: [{ name: 'scores', shape: [1, channels] }],
    nodes,
    constants,
  });
}

/** An autoencoder of dense layers, the size used on sensor features. Input `x` and output `y` float32 [batch, width]. */
export function denseModel(width: number, hidden: number, batch: number | string = 'batch'): Uint8Array {
  const random = mulberry(11);
  const weights = (rows: number, columns: number) =>
    Float32Array.from({ length: rows * columns }, () => (random() - 0.5) / Math.sqrt(rows));
  return onnxModel({
    inputs: [{ name: 'x', shape: [batch, width] }],
    outputs: [{ name: 'y', shape: [batch, width] }],
    nodes: [
      { operator: 'MatMul', inputs: ['x', 'encode'], outputs: ['code'] },
      { operator: 'Relu', inputs: ['code'], outputs: ['active'] },
      { operator: 'MatMul', inputs: ['active', 'decode'], outputs: ['y'] },
    ],
    constants: [
      { name: 'encode', shape: [width, hidden], values: weights(width, hidden) },
      { name: 'decode', shape: [hidden, width], values: weights(hidden, width) },
    ],
  });
}

/**
 * Adds `x` [1] to itself as many times as `times` int64 [1] says: none for the zeros on which a model is tried, for ever for a large
 * number. Output `y` float32 [1].
 */
export function loopModel(): Uint8Array {
  const body: Graph = {
    inputs: [
      { name: 'turn', type: 'int64', shape: [] },
      { name: 'before', type: 'bool', shape: [] },
      { name: 'sum', shape: [1] },
    ],
    outputs: [
      { name: 'after', type: 'bool', shape: [] },
      { name: 'more', shape: [1] },
    ],
    nodes: [
      { operator: 'Identity', inputs: ['before'], outputs: ['after'] },
      { operator: 'Add', inputs: ['sum', 'x'], outputs: ['more'] },
    ],
  };
  return onnxModel({
    inputs: [
      { name: 'times', type: 'int64', shape: [1] },
      { name: 'x', shape: [1] },
    ],
    outputs: [{ name: 'y', shape: [1] }],
    nodes: [
      { operator: 'Squeeze', inputs: ['times', 'axis'], outputs: ['count'] },
      { operator: 'Loop', inputs: ['count', '', 'x'], outputs: ['y'], graphs: { body } },
    ],
    constants: [{ name: 'axis', shape: [1], values: BigInt64Array.of(0n) }],
  });
}

/** Fills as many float32 values as `count` int64 [1] says with ones, and gives their mean: `y` [1]. */
export function memoryModel(): Uint8Array {
  return onnxModel({
    inputs: [{ name: 'count', type: 'int64', shape: [1] }],
    outputs: [{ name: 'y', shape: [1] }],
    nodes: [
      { operator: 'Expand', inputs: ['one', 'count'], outputs: ['many'] },
      { operator: 'ReduceMean', inputs: ['many'], outputs: ['y'] },
    ],
    constants: [{ name: 'one', shape: [1], values: Float32Array.of(1) }],
  });
}

/** A seeded generator of numbers from 0 to 1 (mulberry32). */
export function mulberry(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function graphFields(graph: Graph): Uint8Array[] {
  return [
    ...graph.nodes.map((node) => nested(1, ...nodeFields(node))),
    text(2, 'graph'),
    ...(graph.constants ?? []).map((constant) => nested(5, ...constantFields(constant))),
    ...graph.inputs.map((value) => nested(11, ...valueFields(value))),
    ...graph.outputs.map((value) => nested(12, ...valueFields(value))),
  ];
}

function nodeFields(node: GraphNode): Uint8Array[] {
  return [
    ...node.inputs.map((name) => text(1, name)),
    ...node.outputs.map((name) => text(2, name)),
    text(4, node.operator),
    ...Object.entries(node.integers ?? {}).map(([name, value]) =>
      typeof value === 'number'
        ? nested(5, text(1, name), varint(3, value), varint(20, 2))
        : nested(5, text(1, name), ...value.map((each) => varint(8, each)), varint(20, 7)),
    ),
    ...Object.entries(node.graphs ?? {}).map(([name, graph]) =>
      nested(5, text(1, name), nested(6, ...graphFields(graph)), varint(20, 5)),
    ),
  ];
}

function constantFields(constant: Constant): Uint8Array[] {
  const { values } = constant;
  const type = values instanceof Float32Array ? DATA_TYPES.float32 : DATA_TYPES.int64;
  const common = [...constant.shape.map((size) => varint(1, size)), varint(2, type), text(8, constant.name)];
  if (constant.externalFile !== undefined) {
    return [...common, nested(13, text(1, 'location'), text(2, constant.externalFile)), varint(14, 1)];
  }
  return [...common, bytes(9, new Uint8Array(values.buffer, values.byteOffset, values.byteLength))];
}

function valueFields(value: GraphValue): Uint8Array[] {
  const dimensions = value.shape.map((size) => nested(1, typeof size === 'number' ? varint(1, size) : text(2, size)));
  return [text(1, value.name), nested(2, nested(1, varint(1, DATA_TYPES[value.type ?? 'float32']), nested(2, ...dimensions)))];
}

// Protocol Buffers: a field is its number and wire type, then a varint (0) or a length and bytes (2).
function varint(field: number, value: number): Uint8Array {
  return message(number(field * 8), number(value));
}

function bytes(field: number, value: Uint8Array): Uint8Array {
  return message(number(field * 8 + 2), number(value.byteLength), value);
}

function text(field: number, value: string): Uint8Array {
  return bytes(field, new TextEncoder().encode(value));
}

function nested(field: number, ...fields: Uint8Array[]): Uint8Array {
  return bytes(field, message(...fields));
}

function message(...fields: Uint8Array[]): Uint8Array {
  return Buffer.concat(fields);
}

function number(value: number): Uint8Array {
  const groups: number[] = [];
  let rest = value;
  while (rest > 127) {
    groups.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  groups.push(rest);
  return Uint8Array.from(groups);
}

import { Names, subgraphs } from './graph';
import type { GraphProto, NodeProto, TensorProto } from './protobuf';
import { constant, constantValue, floats } from './tensor';

/**
 * Fold what follows a convolution and is linear per channel into its weights and bias: BatchNormalization, and products and
 * sums with constants, in place. Sums are done in double precision and rounded once, the same on every machine.
 * A convolution whose result is read twice, or is an output of the graph, is left alone.
 */
export function foldAffine(graph: GraphProto): void {
  const constants = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const names = new Names(graph);
  const outputs = new Set(graph.output.map(({ name }) => name));
  const readers = new Map<string, NodeProto[]>();
  for (const node of graph.node) {
    for (const name of [...node.input, ...subgraphs(node).flatMap(reads)])
      readers.set(name, [...(readers.get(name) ?? []), node]);
  }
  const folded = new Set<NodeProto>();
  for (const conv of graph.node) {
    if (conv.opType !== 'Conv') continue;
    for (;;) {
      const result = conv.output[0]!;
      const [next, ...others] = readers.get(result) ?? [];
      const affine = next && others.length === 0 && !outputs.has(result) ? affineOf(next, result, constants) : undefined;
      if (!next || !affine || !absorb(graph, conv, affine, constants, names)) break;
      conv.output = [...next.output];
      folded.add(next);
    }
  }
  graph.node = graph.node.filter((node) => !folded.has(node));
  dropUnread(graph);
}

/** y = x * factor + shift, one number per channel or one for all. */
interface Affine {
  factor: ArrayLike<number>;
  shift: ArrayLike<number>;
}

function affineOf(node: NodeProto, value: string, constants: ReadonlyMap<string, TensorProto>): Affine | undefined {
  if (node.opType === 'BatchNormalization') return batchNorm(node, constants);
  if (!['Mul', 'Add', 'Sub', 'Div'].includes(node.opType)) return undefined;
  const at = node.input.indexOf(value);
  const other = constants.get(node.input[1 - at] ?? '');
  const channels = other && perChannel(other);
  if (!channels || (at === 1 && (node.opType === 'Sub' || node.opType === 'Div'))) return undefined;
  if (node.opType === 'Mul') return { factor: channels, shift: [0] };
  if (node.opType === 'Div') return { factor: Float64Array.from(channels, (by) => 1 / by), shift: [0] };
  return { factor: [1], shift: node.opType === 'Add' ? channels : Float64Array.from(channels, (by) => -by) };
}

function batchNorm(node: NodeProto, constants: ReadonlyMap<string, TensorProto>): Affine | undefined {
  const parameters = node.input.slice(1, 5).map((name) => constants.get(name));
  if (parameters.length < 4 || parameters.some((tensor) => !tensor) || node.output.slice(1).some((name) => name !== ''))
    return undefined;
  const [scale, offset, mean, variance] = parameters.map((tensor) => constantValue(tensor!).data as Float32Array);
  const epsilon = node.attribute.find(({ name }) => name === 'epsilon')?.f ?? 1e-5;
  const factor = Float64Array.from(scale!, (value, at) => value / Math.sqrt(variance![at]! + epsilon));
  return { factor, shift: Float64Array.from(offset!, (value, at) => value - mean![at]! * factor[at]!) };
}

/** The numbers of a constant that varies along the channels only: [], [1], [C, 1, 1], [1, C, 1, 1]. */
function perChannel(tensor: TensorProto): Float32Array | undefined {
  const { type, shape, data } = constantValue(tensor);
  if (type !== 'float32' || shape.length > 4) return undefined;
  const sizes = [...new Array<number>(4 - shape.length).fill(1), ...shape];
  return sizes[0] === 1 && sizes[2] === 1 && sizes[3] === 1 ? (data as Float32Array) : undefined;
}

function absorb(graph: GraphProto, conv: NodeProto, affine: Affine, constants: Map<string, TensorProto>, names: Names): boolean {
  const weights = constants.get(conv.input[1]!);
  const bias = conv.input[2] ? constants.get(conv.input[2]) : undefined;
  if (!weights || (conv.input[2] && !bias)) return false;
  const { type, shape, data } = constantValue(weights);
  const channels = shape[0] ?? 0;
  const fits = [affine.factor, affine.shift].every(({ length }) => length === 1 || length === channels);
  if (type !== 'float32' || !fits) return false;
  const of = (values: ArrayLike<number>, channel: number) => values[values.length === 1 ? 0 : channel]!;
  const each = data.length / channels;
  const before = bias ? (constantValue(bias).data as Float32Array) : new Float32Array(channels);
  const keep = (tensor: TensorProto) => {
    graph.initializer.push(tensor);
    constants.set(tensor.name, tensor);
    return tensor.name;
  };
  const scaled = Float32Array.from(data as Float32Array, (weight, at) => weight * of(affine.factor, Math.floor(at / each)));
  const shifted = Float32Array.from(before, (value, at) => value * of(affine.factor, at) + of(affine.shift, at));
  const unscaled = affine.factor.length === 1 && affine.factor[0] === 1;
  const kept = unscaled ? weights.name : keep(constant(names.fresh(weights.name), floats(scaled, shape)));
  conv.input = [conv.input[0]!, kept, keep(constant(names.fresh(`${conv.output[0]}/bias`), floats(shifted)))];
  return true;
}

function reads(graph: GraphProto): string[] {
  const inside = graph.node.flatMap((node) => [...node.input, ...subgraphs(node).flatMap(reads)]);
  return [...inside, ...graph.output.map(({ name }) => name)];
}

/** Take away constants that nothing reads any more. */
export function dropUnread(graph: GraphProto): void {
  const read = new Set(reads(graph));
  graph.initializer = graph.initializer.filter(({ name }) => read.has(name));
}

import type { ElementType } from '../../message/tensor';
import { floats } from '../onnx/tensor';
import { broadcastShape, combine, filled } from './arrays';
import type { GraphBuilder, Value } from './graph-builder';
import { inputAt, type Operator, unsupported } from './operator';
import type { TfjsNode } from './tfjs-file';

/** Operators that work on each element alone: they run in whichever layout their input already has. */

/** An operator of two inputs that broadcast; `compute` is what it does to two constants. */
export function elementwise(opType: string, compute: (a: number, b: number) => number, result?: ElementType): Operator {
  return (node, inputs, graph) => {
    const [one, other] = [inputAt(node, inputs, 0), inputAt(node, inputs, 1)];
    const type = result ?? one.type;
    if (one.constant && other.constant) return [graph.constant(combine(one.constant, other.constant, compute, type))];
    const shape = broadcastShape([one.shape, other.shape]);
    const channelsFirst = [one, other].some(isChannelsFirst) && [one, other].every(canBeChannelsFirst);
    const names = [one, other].map((value) => (channelsFirst ? graph.channelsFirst(value) : graph.name(value)));
    return [graph.emit(opType, names, { type, shape, channelsFirst })];
  };
}

/** An operator of one input. Constants are computed here only where `compute` is exact on every machine. */
export function unary(opType: string, compute?: (a: number) => number): Operator {
  return (node, inputs, graph) => {
    const value = inputAt(node, inputs, 0);
    if (value.constant && compute) {
      const computed = filled(value.type, value.shape);
      computed.data.set(Array.from(value.constant.data as Float32Array, compute) as never);
      return [graph.constant(computed)];
    }
    return [inOwnLayout(opType, value, [], graph)];
  };
}

export const relu6: Operator = (node, inputs, graph) => {
  const bounds = [0, 6].map((bound) => graph.scalar(floats([bound], [])));
  return [inOwnLayout('Clip', inputAt(node, inputs, 0), bounds, graph)];
};

/** What a fused operator does at its end. @throws EDGE_MODEL_UNSUPPORTED by name */
export function activation(name: string, node: TfjsNode, value: Value, graph: GraphBuilder): Value {
  const operator = ACTIVATIONS[name];
  if (!operator) throw unsupported(node, `fused with ${name}`);
  return operator(node, [value], graph)[0]!;
}

const ACTIVATIONS: Readonly<Record<string, Operator>> = {
  Relu: unary('Relu'),
  Relu6: relu6,
  Sigmoid: unary('Sigmoid'),
  Tanh: unary('Tanh'),
  Elu: unary('Elu'),
};

function inOwnLayout(opType: string, value: Value, more: readonly string[], graph: GraphBuilder): Value {
  const channelsFirst = isChannelsFirst(value);
  const name = channelsFirst ? graph.channelsFirst(value) : graph.name(value);
  return graph.emit(opType, [name, ...more], { type: value.type, shape: value.shape, channelsFirst });
}

function isChannelsFirst({ channelsFirst, constant }: Value): boolean {
  return channelsFirst !== undefined && !constant;
}

function canBeChannelsFirst({ shape, constant }: Value): boolean {
  return shape.length === 4 || constant !== undefined || shape.length === 0;
}

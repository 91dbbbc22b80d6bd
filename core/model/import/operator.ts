import { EdgeError } from '../../errors';
import type { TensorValue } from '../../message/tensor';
import { numbersOf } from './arrays';
import type { GraphBuilder, Value } from './graph-builder';
import type { TfjsNode } from './tfjs-file';

/**
 * What one TensorFlow operator becomes: reads its node and inputs, emits operations, gives its outputs. Everything that is
 * known before the graph runs (shapes above all) should come out as a constant.
 */
export type Operator = (node: TfjsNode, inputs: Value[], graph: GraphBuilder) => Value[];

/** @throws EDGE_MODEL_INVALID when the node has fewer inputs. */
export function inputAt(node: TfjsNode, inputs: readonly Value[], at: number): Value {
  const value = inputs[at];
  if (!value) throw new EdgeError('EDGE_MODEL_INVALID', `${node.op} "${node.name}" has no input ${at}`);
  return value;
}

/** @throws EDGE_MODEL_UNSUPPORTED when the input is only known while the graph runs. */
export function constantAt(node: TfjsNode, inputs: readonly Value[], at: number): TensorValue {
  const { constant } = inputAt(node, inputs, at);
  if (!constant) throw unsupported(node, `input ${at} is computed while the graph runs`);
  return constant;
}

export function numbersAt(node: TfjsNode, inputs: readonly Value[], at: number): number[] {
  return numbersOf(constantAt(node, inputs, at));
}

/** The axis that input `at` names, counted from the front. */
export function axisAt(node: TfjsNode, inputs: readonly Value[], at: number, rank: number): number {
  return fromFront(node, numbersAt(node, inputs, at)[0] ?? 0, rank);
}

export function fromFront(node: TfjsNode, axis: number, rank: number): number {
  const counted = axis < 0 ? axis + rank : axis;
  if (!(counted >= 0 && counted < rank)) throw new EdgeError('EDGE_MODEL_INVALID', `${node.op} "${node.name}" over axis ${axis}`);
  return counted;
}

export function unsupported(node: TfjsNode, found: string): EdgeError {
  return new EdgeError('EDGE_MODEL_UNSUPPORTED', `${node.op} "${node.name}": ${found}`);
}

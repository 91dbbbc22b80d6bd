import type { ElementType, TensorValue } from '../../message/tensor';
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeType,
  create,
  GraphProtoSchema,
  type MessageInitShape,
  type NodeProto,
  NodeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './protobuf';
import { constant, dataType } from './tensor';

/** A whole number, whole numbers, a text, or, marked, what else an operator may take. */
export type AttributeValue =
  | number
  | readonly number[]
  | string
  | { float: number }
  | { floats: readonly number[] }
  | { graph: MessageInitShape<typeof GraphProtoSchema> }
  | TensorValue;

export interface NodeOptions {
  name?: string;
  domain?: string;
  attributes?: Readonly<Record<string, AttributeValue | undefined>>;
}

/** One operation of a graph. Numbers in attributes are whole numbers unless wrapped: `{float: 0.1}`. */
export function operation(
  opType: string,
  input: readonly string[],
  output: readonly string[],
  { name = output[0] ?? opType, domain = '', attributes = {} }: NodeOptions = {},
): NodeProto {
  const attribute = Object.entries(attributes).flatMap(([key, value]) => (value === undefined ? [] : [toAttribute(key, value)]));
  return create(NodeProtoSchema, { opType, name, domain, input: [...input], output: [...output], attribute });
}

/** The declaration of a graph's input or output. */
export function declaration(name: string, type: ElementType, shape: readonly (number | string)[]): ValueInfoProto {
  return create(ValueInfoProtoSchema, {
    name,
    type: {
      value: {
        case: 'tensorType',
        value: {
          elemType: dataType(type),
          shape: {
            dim: shape.map((size) => ({
              value:
                typeof size === 'string'
                  ? { case: 'dimParam' as const, value: size }
                  : { case: 'dimValue' as const, value: BigInt(size) },
            })),
          },
        },
      },
    },
  });
}

/** Whole numbers of an attribute: `ints(node, 'pads')`. */
export function ints(node: NodeProto, name: string): number[] | undefined {
  return node.attribute.find((attribute) => attribute.name === name)?.ints.map(Number);
}

export function int(node: NodeProto, name: string, fallback: number): number {
  const found = node.attribute.find((attribute) => attribute.name === name);
  return found ? Number(found.i) : fallback;
}

function toAttribute(name: string, value: AttributeValue): AttributeProto {
  if (typeof value === 'number') return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value) });
  if (typeof value === 'string')
    return create(AttributeProtoSchema, { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) });
  if (isList(value)) return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.map(BigInt) });
  if ('float' in value) return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.float });
  if ('graph' in value)
    return create(AttributeProtoSchema, { name, type: AttributeType.GRAPH, g: create(GraphProtoSchema, value.graph) });
  if ('floats' in value) return create(AttributeProtoSchema, { name, type: AttributeType.FLOATS, floats: [...value.floats] });
  return create(AttributeProtoSchema, { name, type: AttributeType.TENSOR, t: constant('', value) });
}

function isList(value: AttributeValue): value is readonly number[] {
  return Array.isArray(value);
}

import type { ElementType, TensorValue } from '../../message/tensor';
import { renameValue } from '../onnx/graph';
import { type AttributeValue, declaration, operation } from '../onnx/node';
import { create, type GraphProto, GraphProtoSchema } from '../onnx/protobuf';
import { constant, integers } from '../onnx/tensor';
import { reshape, transpose } from './arrays';

/**
 * A value of the graph under construction. Its shape is always TensorFlow's (channels last); a picture-like value may exist in
 * the graph channels first, channels last or both: the transposition is made when someone asks for the other.
 */
export interface Value {
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** Set when it is known before the graph runs. */
  readonly constant?: TensorValue;
  plain?: string;
  channelsFirst?: string;
}

const TO_CHANNELS_FIRST = [0, 3, 1, 2];
const TO_CHANNELS_LAST = [0, 2, 3, 1];

/** An axis of a four-dimensional value, counted channels last, as it is channels first. */
export const channelsFirstAxis = (axis: number): number => TO_CHANNELS_FIRST.indexOf(axis);

/** Makes an ONNX graph of operations that speak TensorFlow's layout. */
export class GraphBuilder {
  private readonly graph: GraphProto = create(GraphProtoSchema, { name: 'imported' });
  private readonly names = new Set<string>();
  private readonly shared = new Map<string, string>();
  private scope = '';

  /** @param reserved names that no value may take: those that the outputs will have */
  constructor(reserved: readonly string[]) {
    for (const name of reserved) this.names.add(name);
  }

  /** The same builder; what is emitted from now on is named after `node`. */
  at(node: string): this {
    this.scope = node;
    return this;
  }

  input(name: string, type: ElementType, shape: readonly number[]): Value {
    this.names.add(name);
    this.graph.input.push(declaration(name, type, shape));
    return { type, shape, plain: name };
  }

  constant(value: TensorValue): Value {
    return { type: value.type, shape: value.shape, constant: value };
  }

  /** One operation with one output. `channelsFirst` says in which layout its inputs were named and its output is. */
  emit(
    opType: string,
    inputs: readonly string[],
    result: { type: ElementType; shape: readonly number[]; channelsFirst?: boolean },
    attributes: Record<string, AttributeValue | undefined> = {},
  ): Value {
    const [name] = this.emitMany(opType, inputs, 1, attributes);
    const { type, shape } = result;
    return result.channelsFirst ? { type, shape, channelsFirst: name! } : { type, shape, plain: name! };
  }

  /** One operation with several outputs; gives their names. */
  emitMany(
    opType: string,
    inputs: readonly string[],
    outputs: number,
    attributes: Record<string, AttributeValue | undefined> = {},
  ): string[] {
    const names = Array.from({ length: outputs }, () => this.fresh(this.scope));
    this.graph.node.push(operation(opType, inputs, names, { attributes }));
    return names;
  }

  /** The value's name in TensorFlow's layout. */
  name(value: Value): string {
    if (value.plain !== undefined) return value.plain;
    if (value.constant) {
      value.plain = this.initializer(value.constant);
      return value.plain;
    }
    const [name] = this.emitMany('Transpose', [value.channelsFirst!], 1, { perm: TO_CHANNELS_LAST });
    value.plain = name!;
    return value.plain;
  }

  /** The name of a four-dimensional value, channels first. Constants of fewer dimensions broadcast as TensorFlow would. */
  channelsFirst(value: Value): string {
    if (value.channelsFirst !== undefined) return value.channelsFirst;
    if (value.constant) {
      const { shape } = value.constant;
      const four = reshape(value.constant, [...new Array<number>(4 - shape.length).fill(1), ...shape]);
      value.channelsFirst = shape.length === 0 ? this.name(value) : this.initializer(transpose(four, TO_CHANNELS_FIRST));
      return value.channelsFirst;
    }
    if (value.shape.length !== 4) return this.name(value);
    const [name] = this.emitMany('Transpose', [this.name(value)], 1, { perm: TO_CHANNELS_FIRST });
    value.channelsFirst = name!;
    return value.channelsFirst;
  }

  /** A constant of one number; equal ones are one. */
  scalar(value: TensorValue): string {
    const key = `${value.type} ${value.data[0]}`;
    const known = this.shared.get(key) ?? this.initializer(value);
    this.shared.set(key, known);
    return known;
  }

  initializer(value: TensorValue): string {
    const name = this.fresh(`${this.scope}/constant`);
    this.graph.initializer.push(constant(name, value));
    return name;
  }

  /** A constant of whole numbers (axes, shapes); equal ones are one. */
  integers(values: readonly number[]): string {
    const key = values.join(',');
    const known = this.shared.get(key);
    if (known !== undefined) return known;
    const name = this.initializer(integers(values));
    this.shared.set(key, name);
    return name;
  }

  /** Make `value` an output of the graph called `name`. */
  output(name: string, value: Value): void {
    const own = this.name(value);
    const taken = [...this.graph.input, ...this.graph.output, ...this.graph.initializer].some((known) => known.name === own);
    if (taken) this.graph.node.push(operation('Identity', [own], [name]));
    else {
      renameValue(this.graph, own, name);
      value.plain = name;
    }
    this.graph.output.push(declaration(name, value.type, value.shape));
  }

  finish(): GraphProto {
    return this.graph;
  }

  private fresh(wanted: string): string {
    let name = wanted;
    for (let count = 1; this.names.has(name); count += 1) name = `${wanted}:${count}`;
    this.names.add(name);
    return name;
  }
}

import { EdgeError } from '../errors';
import type { TensorValue } from '../message/tensor';
import { dropUnread } from '../model/onnx/fold-affine';
import { graphOf, Names, opsetOf, subgraphs, writeModel } from '../model/onnx/graph';
import { operation } from '../model/onnx/node';
import { create, type ModelProto, type NodeProto, OperatorSetIdProtoSchema, type TensorProto } from '../model/onnx/protobuf';
import { constant, constantValue } from '../model/onnx/tensor';
import { prepareModel } from './prepare';
import { quantizeWeights, roundEven } from './weights';

/** The least and the greatest value that an activation takes, by its name in the graph. */
export type Ranges = Readonly<Record<string, readonly [min: number, max: number]>>;

export interface QuantizeOptions {
  ranges: Ranges;
  /** Outputs of operations that stay in float: those that were measured to hurt. */
  keepFloat?: readonly string[];
  /** 'safe' (default) is exact on every processor; 'free' is finer and wrong on x64 without VNNI. */
  pairs?: 'safe' | 'free';
}

/** The first operator set with the integer convolution that ONNX Runtime fuses to. */
const OLDEST_OPSET = 10;

export interface Quantized {
  model: Uint8Array;
  /** Outputs of the convolutions and sums that run in 8 bits now, and of those that do not. */
  quantized: string[];
  float: string[];
}

/**
 * A model whose convolutions and sums run in 8 bits: unsigned activations with one scale each, signed weights with one scale
 * per output channel, 32-bit biases, written as QuantizeLinear and DequantizeLinear around the float operations, which ONNX
 * Runtime fuses. What follows a convolution linearly is folded into it first; Relu and Clip become the range of their result.
 * No arithmetic depends on the machine: the same model and ranges give the same bytes everywhere.
 *
 * An operation is left in float when `keepFloat` names its output, or when a range of its inputs or output is not known.
 * @throws EDGE_MODEL_INVALID, EDGE_MODEL_EXTERNAL_DATA; EDGE_MODEL_UNSUPPORTED when there is nothing to quantize, or the
 * model's operator set is older than the integer operators.
 */
export function quantizeModel(bytes: Uint8Array, options: QuantizeOptions): Quantized {
  const model = prepareModel(bytes);
  const opset = opsetOf(model);
  if (opset < OLDEST_OPSET) {
    throw new EdgeError('EDGE_MODEL_UNSUPPORTED', `operator set ${opset}; 8 bits need ${OLDEST_OPSET}`, {
      mend: 'Export the model anew',
    });
  }
  const writer = new QdqWriter(model, options);
  const made = new Set<string>();
  const plan = quantizable(model).map((step) => {
    // A sum is worth it only between values that are in 8 bits anyway; elsewhere it would cost accuracy and win nothing.
    const runs = writer.canQuantize(step) && (step.node.opType === 'Conv' || step.activations.every((name) => made.has(name)));
    if (runs) made.add(step.result);
    return { ...step, runs };
  });
  const chosen = plan.filter(({ runs }) => runs);
  if (chosen.length === 0) throw new EdgeError('EDGE_MODEL_UNSUPPORTED', 'no convolution or sum whose range is known');
  for (const step of chosen) writer.quantize(step);
  writer.finish();
  const names = (runs: boolean) => plan.filter((step) => step.runs === runs).map(({ result }) => result);
  return { model: writeModel(model), quantized: names(true), float: names(false) };
}

/** The values whose ranges `quantizeModel` can use: what to observe while calibrating. */
export function rangesWanted(bytes: Uint8Array): string[] {
  const model = prepareModel(bytes);
  return [...new Set(quantizable(model).flatMap(({ activations, result }) => [...activations, result]))];
}

/** A convolution or sum with what it reads; `result` is behind its Relu or Clip where that is its only reader. */
interface Step {
  node: NodeProto;
  activations: string[];
  result: string;
  bound?: NodeProto;
}

function quantizable(model: ModelProto): Step[] {
  const graph = graphOf(model);
  const constants = new Set(graph.initializer.map(({ name }) => name));
  const outputs = new Set(graph.output.map(({ name }) => name));
  const readers = new Map<string, NodeProto[]>();
  for (const node of graph.node) for (const name of node.input) readers.set(name, [...(readers.get(name) ?? []), node]);
  const hidden = new Set(graph.node.flatMap(subgraphs).flatMap(({ node }) => node.flatMap(({ input }) => input)));
  return graph.node.flatMap((node): Step[] => {
    const isConv = node.opType === 'Conv' && node.input.slice(1).every((name) => constants.has(name));
    const isSum = node.opType === 'Add' && !node.input.some((name) => constants.has(name));
    if (!isConv && !isSum) return [];
    const own = node.output[0]!;
    const [reader, ...others] = readers.get(own) ?? [];
    const bounds =
      reader && others.length === 0 && !outputs.has(own) && ['Relu', 'Clip'].includes(reader.opType) && reader.input[0] === own;
    const result = bounds ? reader.output[0]! : own;
    if (hidden.has(result) || hidden.has(own)) return [];
    const activations = isConv ? [node.input[0]!] : [...node.input];
    return [{ node, activations, result, ...(bounds ? { bound: reader } : {}) }];
  });
}

/** Scale and zero point of unsigned 8-bit activations: value = (step - zero) * scale. */
interface Activation {
  scale: number;
  zero: number;
}

class QdqWriter {
  private readonly graph;
  private readonly names;
  private readonly constants: Map<string, TensorProto>;
  private readonly domain: string;
  /** The float copy that readers of a quantized value read. */
  private readonly copies = new Map<string, string>();
  /** Values that come in 8 bits already: bytes of a picture. */
  private readonly given: ReadonlyMap<string, Activation>;
  private readonly removed = new Set<NodeProto>();
  private readonly parameters: NodeProto[] = [];

  constructor(
    model: ModelProto,
    private readonly options: QuantizeOptions,
  ) {
    this.graph = graphOf(model);
    this.names = new Names(this.graph);
    this.constants = new Map(this.graph.initializer.map((tensor) => [tensor.name, tensor]));
    this.given = new Map(this.graph.node.flatMap((node) => givenActivation(node, this.constants)));
    // Before operator set 13 the standard operators have one scale only; ONNX Runtime's own have one per channel always.
    this.domain = opsetOf(model) >= 13 ? '' : 'com.microsoft';
    if (this.domain && !model.opsetImport.some(({ domain }) => domain === this.domain)) {
      model.opsetImport.push(create(OperatorSetIdProtoSchema, { domain: this.domain, version: 1n }));
    }
  }

  canQuantize({ node, activations, result }: Step): boolean {
    if (this.options.keepFloat?.includes(result)) return false;
    const weights = node.opType === 'Conv' ? this.constants.get(node.input[1]!) : undefined;
    if (weights && constantValue(weights).type !== 'float32') return false;
    return [...activations, result].every((name) => this.given.has(name) || this.options.ranges[name] !== undefined);
  }

  quantize({ node, activations, result, bound }: Step): void {
    for (const name of [...activations, result]) {
      if (!this.given.has(name) && !this.copies.has(name)) this.copies.set(name, this.names.fresh(`${name}/dequantized`));
    }
    if (bound) {
      // Rounding to an unsigned 8-bit range whose ends are the bounds does what the bound did.
      this.removed.add(bound);
      node.output = [result];
    }
    if (node.opType === 'Conv') this.quantizeWeights(node);
  }

  /** Put every quantized value through 8 bits behind where it is made, and let its readers read what comes out. */
  finish(): void {
    const nodes = this.graph.node.filter((node) => !this.removed.has(node));
    for (const node of nodes) node.input = node.input.map((name) => this.copies.get(name) ?? name);
    const waiting = new Map(this.copies);
    const roundTrips = (made: readonly string[]) =>
      made.flatMap((name) => {
        const copy = waiting.get(name);
        waiting.delete(name);
        return copy === undefined ? [] : this.roundTrip(name, copy);
      });
    const first = roundTrips(this.graph.input.map(({ name }) => name));
    this.graph.node = [...this.parameters, ...first, ...nodes.flatMap((node) => [node, ...roundTrips(node.output)])];
    dropUnread(this.graph);
  }

  private roundTrip(name: string, copy: string): NodeProto[] {
    const { scale, zero } = this.activation(name);
    const scaleName = this.keep(`${name}/scale`, { type: 'float32', shape: [], data: Float32Array.of(scale) });
    const zeroName = this.keep(`${name}/zero`, { type: 'uint8', shape: [], data: Uint8Array.of(zero) });
    const steps = this.names.fresh(`${name}/quantized`);
    return [
      operation('QuantizeLinear', [name, scaleName, zeroName], [steps], { domain: this.domain }),
      operation('DequantizeLinear', [steps, scaleName, zeroName], [copy], { domain: this.domain }),
    ];
  }

  private quantizeWeights(node: NodeProto): void {
    const [input, weightName, biasName] = node.input as [string, string, string?];
    const weights = constantValue(this.constants.get(weightName)!);
    const { steps, scales } = quantizeWeights(weights, weights.shape[1] === 1 ? 'free' : (this.options.pairs ?? 'safe'));
    const stepsValue: TensorValue = { type: 'int8', shape: weights.shape, data: steps };
    const quantized = this.dequantized(weightName, stepsValue, scales, {
      type: 'int8',
      shape: [scales.length],
      data: new Int8Array(scales.length),
    });
    node.input = [input, quantized];
    if (biasName) {
      const bias = constantValue(this.constants.get(biasName)!).data as Float32Array;
      const { scale } = this.activation(input);
      const biasScales = scales.map((weightScale) => weightScale * scale);
      const biasSteps = Int32Array.from(bias, (value, channel) => roundEven(value / biasScales[channel]!));
      const zeros: TensorValue = { type: 'int32', shape: [bias.length], data: new Int32Array(bias.length) };
      node.input.push(this.dequantized(biasName, { type: 'int32', shape: [bias.length], data: biasSteps }, biasScales, zeros));
    }
  }

  /** A constant in few bits and the operation that widens it, one scale per first axis. */
  private dequantized(name: string, steps: TensorValue, scales: Float32Array<ArrayBuffer>, zeros: TensorValue): string {
    const output = this.names.fresh(`${name}/dequantized`);
    const inputs = [
      this.keep(`${name}/quantized`, steps),
      this.keep(`${name}/scale`, { type: 'float32', shape: [scales.length], data: scales }),
      this.keep(`${name}/zero`, zeros),
    ];
    this.parameters.push(operation('DequantizeLinear', inputs, [output], { domain: this.domain, attributes: { axis: 0 } }));
    return output;
  }

  private activation(name: string): Activation {
    return this.given.get(name) ?? activation(this.options.ranges[name]!);
  }

  private keep(wanted: string, value: TensorValue): string {
    const name = this.names.fresh(wanted);
    this.graph.initializer.push(constant(name, value));
    return name;
  }
}

function givenActivation(node: NodeProto, constants: ReadonlyMap<string, TensorProto>): [string, Activation][] {
  const [scale, zero] = node.input.slice(1).map((name) => constants.get(name));
  if (node.opType !== 'DequantizeLinear' || !scale || !zero || constants.has(node.input[0]!)) return [];
  const [scales, zeros] = [constantValue(scale), constantValue(zero)];
  if (scales.data.length !== 1 || zeros.type !== 'uint8') return [];
  return [[node.output[0]!, { scale: Number(scales.data[0]), zero: Number(zeros.data[0]) }]];
}

/** Zero is always a step, since convolutions pad with it. */
function activation([least, greatest]: readonly [number, number]): Activation {
  const min = Math.min(least, 0);
  const max = Math.max(greatest, 0);
  const scale = Math.fround((max - min) / 255) || 1;
  return { scale, zero: Math.max(0, Math.min(255, roundEven(-min / scale))) };
}

import { elementCount, type TensorValue } from '../../message/tensor';
import { dropUnread } from './fold-affine';
import { graphOf, Names, opsetOf, readModel, subgraphs, writeModel } from './graph';
import { int, operation } from './node';
import { DataLocation, type GraphProto, type ModelProto, type NodeProto, type TensorProto } from './protobuf';
import { constant, constantValue, floats } from './tensor';

export interface Dequantized {
  model: Uint8Array;
  /** Constants that became float, and values that no longer go through 8 bits. */
  weights: number;
  activations: number;
  /** Integer operators that stay as they are, "QLinearConv", each once. */
  left: string[];
}

/** The first operator set in which Clip takes its bounds as inputs. */
const CLIP_WITH_INPUTS = 11;

/** What computes in integers by itself, without QuantizeLinear and DequantizeLinear around a float operator. */
const INTEGER_OPERATORS =
  /^(QLinear|QGemm|QAttention|QEmbed|QMoE|MatMulInteger|ConvInteger|DynamicQuantize|MatMulNBits|QOrdered)/;

/**
 * The same model in float where it is quantized by QuantizeLinear and DequantizeLinear around float operators (QDQ): constants
 * are widened once, and values no longer go through 8 bits. Quantizers leave Relu and Clip to what 8 bits can hold, so a value
 * stays bounded by that where it may stand for one of them. Nothing is rounded any more: results differ by the rounding that the
 * quantized model added. An input of bytes stays one. For engines on which integers are slower: ONNX Runtime in WebAssembly.
 *
 * Null when the model has nothing of the kind, or keeps its weights in files beside it.
 * @throws EDGE_MODEL_INVALID, EDGE_MODEL_EXTERNAL_DATA
 */
export function dequantizeModel(bytes: Uint8Array): Dequantized | null {
  const model = readModel(bytes);
  const graph = graphOf(model);
  if (graph.initializer.some(({ dataLocation }) => dataLocation === DataLocation.EXTERNAL)) return null;
  const rewrite = new Rewrite(model);
  const weights = rewrite.widenConstants();
  const activations = rewrite.dropRoundTrips();
  if (weights + activations === 0) return null;
  const names = graph.node.map(({ opType }) => opType).filter((opType) => INTEGER_OPERATORS.test(opType));
  dropUnread(graph);
  return { model: writeModel(model), weights, activations, left: [...new Set(names)].sort() };
}

class Rewrite {
  private readonly graph: GraphProto;
  private readonly opset: number;
  private readonly constants: Map<string, TensorProto>;
  private readonly producers: ReadonlyMap<string, NodeProto>;
  private readonly names: Names;
  /** What is known of float values while the graph is walked along. */
  private readonly ranges = new Map<string, Range>();

  constructor(model: ModelProto) {
    this.graph = graphOf(model);
    this.opset = opsetOf(model);
    this.names = new Names(this.graph);
    this.constants = new Map(this.graph.initializer.map((tensor) => [tensor.name, tensor]));
    this.producers = new Map(this.graph.node.flatMap((node) => node.output.map((name) => [name, node] as const)));
    for (const node of this.graph.node) {
      const value = node.opType === 'Constant' ? node.attribute.find(({ name }) => name === 'value')?.t : undefined;
      if (value) this.constants.set(node.output[0]!, value);
    }
  }

  /** Every DequantizeLinear of a constant becomes a float constant. Gives how many. */
  widenConstants(): number {
    const outputs = new Set(this.graph.output.map(({ name }) => name));
    const widened = new Map<NodeProto, TensorProto>();
    for (const node of this.graph.node) {
      const [output] = node.output;
      if (node.opType !== 'DequantizeLinear' || outputs.has(output!)) continue;
      const value = this.dequantized(node);
      if (value) widened.set(node, constant(output!, value));
    }
    this.graph.node = this.graph.node.filter((node) => !widened.has(node));
    this.graph.initializer.push(...widened.values());
    this.forget([...widened.values()].map(({ name }) => name));
    return widened.size;
  }

  /** Every QuantizeLinear that only DequantizeLinear with the same scale reads becomes a bound or nothing. Gives how many. */
  dropRoundTrips(): number {
    const readers = readersOf(this.graph);
    const outputs = new Set(this.graph.output.map(({ name }) => name));
    const replaced = new Map<NodeProto, NodeProto[]>();
    let dropped = 0;
    for (const node of this.graph.node) {
      this.learnRange(node);
      const steps = node.output[0]!;
      const back = readers.get(steps) ?? [];
      if (node.opType !== 'QuantizeLinear' || back.length === 0 || outputs.has(steps)) continue;
      if (!back.every((reader) => reader !== 'inside' && this.undoes(reader, node))) continue;
      const [first, ...others] = back as NodeProto[];
      const bounded = this.bounded(node, first!.output[0]!);
      if (!bounded) continue;
      replaced.set(node, [bounded]);
      replaced.set(first!, []);
      for (const other of others) replaced.set(other, [operation('Identity', [first!.output[0]!], [other.output[0]!])]);
      this.forget([steps]);
      dropped += 1;
    }
    this.graph.node = this.graph.node.flatMap((node) => replaced.get(node) ?? [node]);
    return dropped;
  }

  /** value = (step - zero) * scale, with one scale for all or one per index of an axis; undefined for what is not such a constant. */
  private dequantized(node: NodeProto): TensorValue | undefined {
    const [steps, scale, zero] = node.input.map((name) => this.value(name));
    if (!steps || scale?.type !== 'float32' || int(node, 'block_size', 0) !== 0) return undefined;
    if (node.input[2] && !zero) return undefined;
    const scales = scale.data as Float32Array;
    const zeros = zero && Float64Array.from(zero.data as ArrayLike<number>, Number);
    const rank = steps.shape.length;
    const axis = (int(node, 'axis', 1) + rank) % Math.max(rank, 1);
    const channels = scales.length === 1 ? 1 : (steps.shape[axis] ?? 0);
    if (channels !== scales.length || (zeros && zeros.length !== scales.length)) return undefined;
    // Rounded to float32 after the product only, as ONNX Runtime does: the difference of small integers is exact.
    const values = Float32Array.from(steps.data as ArrayLike<number>);
    const each = scales.length === 1 ? values.length : elementCount(steps.shape.slice(axis + 1));
    for (let start = 0, block = 0; start < values.length; start += each, block += 1) {
      const factor = scales[block % channels]!;
      const middle = zeros?.[block % channels] ?? 0;
      for (let index = start; index < start + each; index++) values[index] = (values[index]! - middle) * factor;
    }
    return { type: 'float32', shape: steps.shape, data: values };
  }

  private undoes(reader: NodeProto, quantize: NodeProto): boolean {
    return (
      reader.opType === 'DequantizeLinear' &&
      reader.input[0] === quantize.output[0] &&
      this.same(reader.input[1], quantize.input[1]) &&
      this.same(reader.input[2], quantize.input[2])
    );
  }

  private same(one: string | undefined, other: string | undefined): boolean {
    if ((one ?? '') === (other ?? '')) return true;
    const [value, expected] = [this.value(one ?? ''), this.value(other ?? '')];
    if (!value || !expected || value.type !== expected.type || value.data.length !== expected.data.length) return false;
    return value.data.every((number, index) => number === expected.data[index]);
  }

  /** What stands for the way through the steps: a Clip to what they could hold, or nothing. Undefined for scales that are no constant. */
  private bounded(quantize: NodeProto, output: string): NodeProto | undefined {
    const [scale, zero] = quantize.input.slice(1).map((name) => this.value(name));
    if (scale?.type !== 'float32' || scale.data.length !== 1 || (quantize.input[2] && zero?.data.length !== 1)) return undefined;
    // Without a zero point the steps are unsigned bytes, or what an attribute of newer operator sets says: then it is left alone.
    if (!zero && int(quantize, 'output_dtype', 0) !== 0) return undefined;
    const steps = STEPS[zero?.type ?? 'uint8'];
    if (!steps) return undefined;
    const middle = Number(zero?.data[0] ?? 0);
    const step = Number(scale.data[0]);
    const range: Range = [Math.fround((steps[0] - middle) * step), Math.fround((steps[1] - middle) * step)];
    const input = quantize.input[0]!;
    if (!this.needsBound(input, range, step)) {
      const known = this.ranges.get(input);
      if (known) this.ranges.set(output, known);
      return operation('Identity', [input], [output]);
    }
    this.ranges.set(output, range);
    const [least, greatest] = range;
    if (this.opset < CLIP_WITH_INPUTS) {
      return operation('Clip', [input], [output], { attributes: { min: { float: least }, max: { float: greatest } } });
    }
    const bounds = [this.names.fresh(`${output}/least`), this.names.fresh(`${output}/greatest`)];
    this.graph.initializer.push(constant(bounds[0]!, floats([least], [])), constant(bounds[1]!, floats([greatest], [])));
    return operation('Clip', [input, ...bounds], [output]);
  }

  /**
   * Whether a Relu or Clip may have been left to the range. Behind a convolution or product it always may, and costs nothing, as
   * the engine joins them; elsewhere only where the range ends at zero, as behind Relu, since other ends are a calibration's.
   */
  private needsBound(input: string, [least, greatest]: Range, step: number): boolean {
    const known = this.ranges.get(input);
    if (known && known[0] >= least - step && known[1] <= greatest + step) return false;
    const endsAtZero = least > -step || greatest < step;
    return endsAtZero || PRODUCTS.has(this.producers.get(input)?.opType ?? '');
  }

  /** Which values a node's result can have, where that follows from what is known of its inputs. */
  private learnRange(node: NodeProto): void {
    const output = node.output[0];
    if (output === undefined) return;
    if (node.opType === 'Sigmoid' || node.opType === 'Softmax') this.ranges.set(output, [0, 1]);
    if (!MOVEMENTS.has(node.opType)) return;
    const inputs = node.opType === 'Concat' ? node.input : node.input.slice(0, 1);
    const known = inputs.map((name) => this.ranges.get(name));
    if (known.length === 0 || known.some((range) => !range)) return;
    const range: Range = [Math.min(...known.map((each) => each![0])), Math.max(...known.map((each) => each![1]))];
    for (const name of node.output) this.ranges.set(name, range);
  }

  private value(name: string): TensorValue | undefined {
    const tensor = this.constants.get(name);
    try {
      return tensor && constantValue(tensor);
    } catch {
      // Four bits, or eight with a point: element types that do not cross this palette.
      return undefined;
    }
  }

  /** What shape inference said of values that are gone. */
  private forget(names: readonly string[]): void {
    const gone = new Set(names);
    this.graph.valueInfo = this.graph.valueInfo.filter(({ name }) => !gone.has(name));
  }
}

type Range = readonly [least: number, greatest: number];

const STEPS: Partial<Record<TensorValue['type'], Range>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65_535],
  int16: [-32_768, 32_767],
};

const PRODUCTS = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

/** Operators whose results lie within what they are given. */
const MOVEMENTS = new Set([
  ...['Concat', 'Split', 'Slice', 'Gather', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Transpose', 'Expand', 'Tile'],
  ...['MaxPool', 'AveragePool', 'GlobalAveragePool', 'GlobalMaxPool', 'DepthToSpace', 'SpaceToDepth', 'Identity'],
]);

/** Who reads a value; 'inside' stands for a node of a graph within a node. */
function readersOf(graph: GraphProto): Map<string, (NodeProto | 'inside')[]> {
  const readers = new Map<string, (NodeProto | 'inside')[]>();
  const add = (name: string, reader: NodeProto | 'inside') => readers.set(name, [...(readers.get(name) ?? []), reader]);
  const addInside = (inner: GraphProto) => {
    for (const node of inner.node) {
      for (const name of node.input) add(name, 'inside');
      for (const each of subgraphs(node)) addInside(each);
    }
    for (const { name } of inner.output) add(name, 'inside');
  };
  for (const node of graph.node) {
    for (const name of node.input) add(name, node);
    for (const inner of subgraphs(node)) addInside(inner);
  }
  return readers;
}

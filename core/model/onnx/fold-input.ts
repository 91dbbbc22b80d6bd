import { EdgeError } from '../../errors';
import type { ElementType, TensorInfo, TensorValue } from '../../message/tensor';
import type { ImageInput } from '../manifest';
import { dataInputs, graphOf, Names, opsetOf, readModel, renameValue, writeModel } from './graph';
import { tensorInfo } from './metadata';
import { type AttributeValue, declaration, operation } from './node';
import type { GraphProto, NodeProto } from './protobuf';
import { constant, dataType, floats, integers } from './tensor';

/** Luma of ITU-R BT.601, as JPEG and OpenCV have it. */
const LUMA = [0.299, 0.587, 0.114];

/** The first operator set in which Sub and Mul broadcast, and the first that ONNX Runtime implements. */
const OLDEST_OPSET = 7;

/**
 * The same model with an image input that takes camera pixels as they are: uint8, NHWC, RGB, [batch, height, width, 3], 0 to
 * 255, under the same name. What JavaScript would do in a loop over every pixel becomes nodes in front of the graph:
 * transposition, colour order (grey by BT.601 luma), then value = (pixel - mean) * scale per channel, rounded to float32 after
 * each step as JavaScript on a Float32Array would. Nothing is folded into weights: a convolution that pads with zeros pads
 * with normalised zeros, as before.
 *
 * The batch stays what it was, a number or a symbol; height and width become those of `input` where the model left them open.
 * @throws EDGE_MODEL_INPUT_SHAPE when the graph's input is not an image of this layout and size; EDGE_MODEL_MANIFEST when mean
 * or scale do not fit the channels; EDGE_MODEL_UNSUPPORTED for element types that cannot hold the values; EDGE_MODEL_INVALID.
 */
export function foldImageInput(bytes: Uint8Array, input: ImageInput): Uint8Array {
  const model = readModel(bytes);
  const graph = graphOf(model);
  const found = imageInput(graph, input);
  const opset = opsetOf(model);
  if (opset < OLDEST_OPSET) throw new EdgeError('EDGE_MODEL_UNSUPPORTED', `operator set ${opset}, older than ${OLDEST_OPSET}`);
  const chain = new Chain(graph, found.name);

  if (input.layout === 'NCHW') chain.add('Transpose', [], { perm: [0, 3, 1, 2] });
  const channelAxis = input.layout === 'NCHW' ? 1 : 3;
  if (input.colours === 'bgr') chain.add('Gather', [integers([2, 1, 0])], { axis: channelAxis });

  const offset = perChannel('mean', input.mean, input, channelAxis, 0);
  const factor = perChannel('scale', input.scale, input, channelAxis, 1);
  const plain = !offset && !factor && input.colours !== 'grey';
  const middle = offset ? Number(offset.data[0]) : 0;
  if (plain && found.type === 'uint8') {
    // The graph takes bytes already.
  } else if (
    input.colours !== 'grey' &&
    found.type === 'float32' &&
    factor?.data.length === 1 &&
    (offset?.data.length ?? 1) === 1 &&
    isByte(middle) &&
    opset >= 10
  ) {
    // The same two steps in one pass over bytes.
    chain.add('DequantizeLinear', [factor, { type: 'uint8', shape: [], data: Uint8Array.of(middle) }]);
  } else {
    const working = found.type === 'float64' ? 'float64' : 'float32';
    chain.cast(working);
    if (input.colours === 'grey') chain.luma(channelAxis, working);
    if (offset) chain.add('Sub', [inType(offset, working)]);
    if (factor) chain.add('Mul', [inType(factor, working)]);
    if (found.type !== working) chain.cast(found.type);
  }

  const pixels = [found.shape[0] ?? 1, input.height, input.width, 3];
  chain.finish(declaration(found.name, 'uint8', pixels));
  return writeModel(model);
}

/** The graph's image input, checked against what the manifest says of it. */
function imageInput(graph: GraphProto, input: ImageInput): TensorInfo {
  const inputs = dataInputs(graph);
  const declared =
    input.name === undefined ? (inputs.length === 1 ? inputs[0] : undefined) : inputs.find((i) => i.name === input.name);
  const names = inputs.map((entry) => entry.name).join(', ');
  if (!declared) {
    throw new EdgeError(
      'EDGE_MODEL_MANIFEST',
      `the image input is ${input.name ?? 'not named'}, the graph has: ${names || 'none'}`,
    );
  }
  const [found] = tensorInfo(declared);
  if (!found) throw new EdgeError('EDGE_MODEL_UNSUPPORTED', `the element type of input ${declared.name}`);
  if (!['float32', 'float16', 'float64', 'uint8', 'int8', 'int32', 'int64'].includes(found.type)) {
    throw new EdgeError('EDGE_MODEL_UNSUPPORTED', `an image input of ${found.type}`);
  }
  const channels = input.colours === 'grey' ? 1 : 3;
  const { height, width } = input;
  const wanted = input.layout === 'NCHW' ? [channels, height, width] : [height, width, channels];
  const open = found.shape.length === 0;
  const fits =
    found.shape.length === 4 && wanted.every((size, at) => isOpen(found.shape[at + 1]) || found.shape[at + 1] === size);
  if (!open && !fits) {
    throw new EdgeError(
      'EDGE_MODEL_INPUT_SHAPE',
      `input ${found.name} is [${found.shape.join(', ')}], the manifest says ${input.layout} [batch, ${wanted.join(', ')}]`,
    );
  }
  const batch = found.shape[0];
  return { ...found, shape: [batch === undefined || (typeof batch === 'number' && batch < 1) ? 'batch' : batch, ...wanted] };
}

function isByte(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 255;
}

function isOpen(size: number | string | undefined): boolean {
  return typeof size === 'string' || size === undefined || size < 1;
}

/** A constant that broadcasts over pixels: one number where all channels agree, nothing where it would change nothing. */
function perChannel(
  name: string,
  values: readonly number[],
  { colours }: ImageInput,
  channelAxis: number,
  neutral: number,
): TensorValue | undefined {
  const channels = colours === 'grey' ? 1 : 3;
  if ((values.length !== channels && values.length !== 1) || !values.every(Number.isFinite)) {
    throw new EdgeError('EDGE_MODEL_MANIFEST', `${name} holds [${values.join(', ')}] for ${channels} channels`);
  }
  if (values.every((value) => value === neutral)) return undefined;
  if (values.every((value) => value === values[0])) return floats([values[0]!], []);
  return floats(values, channelAxis === 1 ? [3, 1, 1] : [3]);
}

function inType(value: TensorValue, type: 'float32' | 'float64'): TensorValue {
  return type === 'float64' ? { ...value, type, data: Float64Array.from(value.data as Float32Array) } : value;
}

/** Operations in a row, put in front of a graph. */
class Chain {
  private readonly nodes: NodeProto[] = [];
  private readonly names: Names;
  private last: string;

  constructor(
    private readonly graph: GraphProto,
    private readonly name: string,
  ) {
    this.names = new Names(graph);
    this.last = name;
  }

  add(opType: string, constants: readonly TensorValue[], attributes: Record<string, AttributeValue> = {}): void {
    const names = constants.map((value) => {
      const name = this.fresh('constant');
      this.graph.initializer.push(constant(name, value));
      return name;
    });
    const output = this.fresh(opType.toLowerCase());
    this.nodes.push(operation(opType, [this.last, ...names], [output], { attributes }));
    this.last = output;
  }

  cast(type: ElementType): void {
    this.add('Cast', [], { to: dataType(type) });
  }

  /** Weighted sum over the channels. */
  luma(channelAxis: number, type: 'float32' | 'float64'): void {
    const weights = floats(LUMA, channelAxis === 1 ? [1, 3, 1, 1] : [3, 1]);
    if (channelAxis === 1) this.add('Conv', [inType(weights, type)]);
    else this.add('MatMul', [inType(weights, type)]);
  }

  /** Let every reader of the old input read the chain's end, and the graph's input be `pixels`. */
  finish(pixels: GraphProto['input'][number]): void {
    if (this.graph.output.some((output) => output.name === this.name)) {
      throw new EdgeError('EDGE_MODEL_UNSUPPORTED', 'the image input is an output as well');
    }
    renameValue(this.graph, this.name, this.last);
    this.graph.node.unshift(...this.nodes);
    const at = this.graph.input.findIndex((input) => input.name === this.name);
    this.graph.input.splice(at, 1, pixels);
    // What shape inference left for the old input would contradict the new one.
    this.graph.valueInfo = this.graph.valueInfo.filter((info) => info.name !== this.name);
  }

  private fresh(what: string): string {
    return this.names.fresh(`${this.name}/pixels/${what}`);
  }
}

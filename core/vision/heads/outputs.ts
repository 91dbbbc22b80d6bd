import { EdgeError } from '../../errors';
import { elementCount, type TensorInfo, type TensorValue } from '../../message/tensor';

export type Outputs = Readonly<Record<string, TensorValue>>;

/** One output as 32-bit floats with its shape checked. */
export interface FloatOutput {
  shape: readonly number[];
  data: Float32Array;
}

/**
 * The output `name`, or the only one when `name` is absent.
 * @param expected the shape; null for a dimension that may have any size.
 * @throws EDGE_MODEL_OUTPUT_SHAPE
 */
export function outputOf(outputs: Outputs, name: string | undefined, expected: readonly (number | null)[]): FloatOutput {
  const names = Object.keys(outputs);
  const found = name ?? (names.length === 1 ? names[0] : undefined);
  const tensor = found !== undefined && Object.hasOwn(outputs, found) ? outputs[found] : undefined;
  if (!tensor) {
    const wanted = name === undefined ? 'one output' : `an output "${name}"`;
    throw new EdgeError('EDGE_MODEL_OUTPUT_SHAPE', `expected ${wanted}, got ${describeNames(names)}`);
  }
  const fits = tensor.shape.length === expected.length && expected.every((size, i) => size === null || size === tensor.shape[i]);
  if (!fits) throw shapeError(found!, expected, tensor.shape);
  return floatOutput(tensor, found!);
}

/** @throws EDGE_MODEL_OUTPUT_SHAPE when it holds other than floating point, or not as many values as its shape says. */
export function floatOutput(tensor: TensorValue, name: string): FloatOutput {
  if (tensor.data.length !== elementCount(tensor.shape)) {
    throw new EdgeError('EDGE_MODEL_OUTPUT_SHAPE', `${tensor.data.length} values for "${name}" [${tensor.shape.join(', ')}]`);
  }
  return { shape: tensor.shape, data: floatsOf(tensor, name) };
}

export function shapeError(name: string, expected: readonly (number | string | null)[], actual: readonly number[]): EdgeError {
  const shown = expected.map((size) => size ?? '*').join(', ');
  return new EdgeError('EDGE_MODEL_OUTPUT_SHAPE', `"${name}" is [${actual.join(', ')}], expected [${shown}]`);
}

/** Width and height of a graph's only 4-dimensional input, NCHW or NHWC; null when it has none or its size varies. */
export function imageSizeOf(inputs: readonly TensorInfo[]): { width: number; height: number } | null {
  const images = inputs.filter((input) => input.shape.length === 4);
  if (inputs.length !== 1 || images.length !== 1) return null;
  const [, second, third, fourth] = images[0]!.shape;
  const [height, width] = isChannelCount(second) ? [third, fourth] : isChannelCount(fourth) ? [second, third] : [0, 0];
  return typeof width === 'number' && typeof height === 'number' && width > 4 && height > 4 ? { width, height } : null;
}

/** True when `info` has this shape; null stands for any fixed size. */
export function hasShape(info: TensorInfo | undefined, expected: readonly (number | null)[]): boolean {
  if (info?.shape.length !== expected.length) return false;
  return info.shape.every((size, i) => typeof size === 'number' && size > 0 && (expected[i] === null || expected[i] === size));
}

/** As hasShape, where sizes that the graph leaves open fit any. */
export function couldHave(info: TensorInfo | undefined, expected: readonly (number | null)[]): boolean {
  if (info?.shape.length !== expected.length) return false;
  return info.shape.every((size, i) => typeof size === 'string' || size < 1 || expected[i] === null || expected[i] === size);
}

/** One size of the shape of output `name` (the only one when absent), of a certain number of dimensions; null where it is not told. */
export function sizeAt(outputs: readonly TensorInfo[], name: string | undefined, rank: number, axis: number): number | null {
  const found = name === undefined ? (outputs.length === 1 ? outputs[0] : undefined) : outputs.find((info) => info.name === name);
  const size = found?.shape.length === rank ? found.shape[axis] : undefined;
  return typeof size === 'number' && size > 0 ? size : null;
}

/** `size - less`, null staying null. */
export function sizeWithout(size: number | null, less: number): number | null {
  return size === null ? null : size - less;
}

/** Cells of the feature maps at `strides`, all together: how many anchors an anchor-free detector gives for this input. */
export function cellCount(size: { width: number; height: number }, strides: readonly number[]): number {
  return strides.reduce((sum, stride) => sum + Math.ceil(size.width / stride) * Math.ceil(size.height / stride), 0);
}

function floatsOf(tensor: TensorValue, name: string): Float32Array {
  if (tensor.data instanceof Float32Array) return tensor.data;
  if (tensor.type === 'float16' && tensor.data instanceof Uint16Array) return Float32Array.from(tensor.data, halfToFloat);
  if (tensor.data instanceof Float64Array) return Float32Array.from(tensor.data);
  throw new EdgeError('EDGE_MODEL_OUTPUT_SHAPE', `"${name}" holds ${tensor.type} values, expected floating point`);
}

/** IEEE 754 binary16 as ONNX Runtime gives it: 1 sign bit, 5 exponent bits, 10 fraction bits. */
function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * 2 ** -14 * (fraction / 1024);
  if (exponent === 31) return fraction ? Number.NaN : sign * Infinity;
  return sign * 2 ** (exponent - 15) * (1 + fraction / 1024);
}

function isChannelCount(size: number | string | undefined): boolean {
  return size === 1 || size === 3;
}

function describeNames(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.map((name) => `"${name}"`).join(', ');
}

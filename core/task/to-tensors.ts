import { EdgeError } from '../errors';
import { allFinite } from '../inference/finite';
import {
  ELEMENT_ARRAYS,
  type ElementType,
  elementCount,
  isTensor,
  type TensorInfo,
  type TensorValue,
  tensorValue,
} from '../message/tensor';

/** Most numbers that one message may bring as JavaScript values. */
const MOST_VALUES = 16 * 2 ** 20;
const DEEPEST = 8;

/** Whole numbers that each element type holds; floats are not listed. */
const RANGES: Partial<Record<ElementType, readonly [number, number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65_535],
  int16: [-32_768, 32_767],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  uint64: [0, Number.MAX_SAFE_INTEGER],
  bool: [0, 1],
};

/**
 * A payload as the feeds of a model: a tensor, a typed array, a number or (nested) arrays of numbers for a model with one
 * input, or an object of those by input name. Flat values take the model's shape; a size that may vary takes what is left.
 * @throws EDGE_INPUT_TYPE, EDGE_INPUT_EMPTY, EDGE_INPUT_NOT_FINITE, EDGE_MODEL_INPUT_SHAPE, EDGE_MODEL_INPUT_TYPE, EDGE_FRAME_GONE
 */
export function toTensors(payload: unknown, inputs: readonly TensorInfo[]): Record<string, TensorValue> {
  const feeds: [string, TensorValue][] = [];
  if (isByName(payload)) {
    for (const info of inputs) {
      if (!Object.hasOwn(payload, info.name)) throw wrongType(payload, inputs);
      feeds.push([info.name, toTensor(payload[info.name], info)]);
    }
  } else {
    const [only, another] = inputs;
    if (!only || another) throw wrongType(payload, inputs);
    feeds.push([only.name, toTensor(payload, only)]);
  }
  return Object.fromEntries(feeds);
}

function toTensor(value: unknown, info: TensorInfo): TensorValue {
  if (isTensor(value)) return asDeclared(tensorValue(value), info);
  const numbers = new Collector(info);
  const given = numbers.collect(value);
  const shape = fits(given, info.shape) ? given : shapeFor(numbers.values.length, info);
  return { type: info.type, shape, data: numbers.typed() };
}

function asDeclared(tensor: TensorValue, info: TensorInfo): TensorValue {
  if (tensor.type !== info.type) {
    throw new EdgeError('EDGE_MODEL_INPUT_TYPE', `${tensor.type} for "${info.name}", which takes ${info.type}`);
  }
  if (!(tensor.data instanceof ELEMENT_ARRAYS[tensor.type]) || tensor.data.length !== elementCount(tensor.shape)) {
    throw new EdgeError('EDGE_MODEL_INPUT_SHAPE', `"${info.name}": the data does not fit the shape [${tensor.shape.join(', ')}]`);
  }
  if (!fits(tensor.shape, info.shape)) throw wrongShape(`[${tensor.shape.join(', ')}]`, info);
  if (!allFinite(tensor)) throw new EdgeError('EDGE_INPUT_NOT_FINITE', `the tensor for "${info.name}"`);
  return tensor;
}

/** Flattens nested arrays and checks every number on the way. */
class Collector {
  readonly values: number[] = [];

  constructor(private readonly info: TensorInfo) {}

  /** The shape of what was given; [] for a single number. */
  collect(value: unknown, depth = 0): number[] {
    if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') {
      this.add(Number(value));
      return [];
    }
    const isList = Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
    if (!isList || depth >= DEEPEST) {
      const found = Array.isArray(value) ? 'lists nested too deeply' : typeof value;
      throw new EdgeError('EDGE_INPUT_TYPE', `${found} for "${this.info.name}", expected numbers`);
    }
    const list = value as ArrayLike<unknown>;
    if (list.length === 0) throw new EdgeError('EDGE_INPUT_EMPTY', `an empty list for "${this.info.name}"`);
    let inner: number[] | undefined;
    for (let index = 0; index < list.length; index++) {
      const shape = this.collect(list[index], depth + 1);
      if (inner && (inner.length !== shape.length || inner.some((size, i) => size !== shape[i]))) {
        throw new EdgeError('EDGE_MODEL_INPUT_SHAPE', `the lists for "${this.info.name}" are of different lengths`);
      }
      inner ??= shape;
    }
    return [list.length, ...inner!];
  }

  typed(): TensorValue['data'] {
    const { type } = this.info;
    if (type === 'int64') return BigInt64Array.from(this.values, BigInt);
    if (type === 'uint64') return BigUint64Array.from(this.values, BigInt);
    if (type === 'float16') return Uint16Array.from(this.values, floatToHalf);
    return ELEMENT_ARRAYS[type].from(this.values);
  }

  private add(value: number): void {
    if (!Number.isFinite(value)) throw notFiniteInput(value, this.info);
    if (this.values.length >= MOST_VALUES) {
      throw new EdgeError('EDGE_INPUT_TYPE', `more than ${MOST_VALUES} numbers for "${this.info.name}"`);
    }
    const range = RANGES[this.info.type];
    if (range && (!Number.isInteger(value) || value < range[0] || value > range[1])) {
      throw new EdgeError('EDGE_MODEL_INPUT_TYPE', `${value} for "${this.info.name}", which takes ${this.info.type}`);
    }
    this.values.push(value);
  }
}

/** Sizes that may vary are 1, but for the last of them, which takes what is left. */
function shapeFor(count: number, info: TensorInfo): number[] {
  const fixed = info.shape.reduce<number>((product, size) => (varies(size) ? product : product * Number(size)), 1);
  const shape = info.shape.map((size) => (varies(size) ? 1 : Number(size)));
  const open = info.shape.findLastIndex(varies);
  if (open >= 0) shape[open] = fixed > 0 ? count / fixed : 0;
  if (elementCount(shape) !== count || !shape.every(Number.isInteger)) throw wrongShape(`${count} numbers`, info);
  return shape;
}

function fits(shape: readonly number[], declared: TensorInfo['shape']): boolean {
  return shape.length === declared.length && declared.every((size, i) => varies(size) || size === shape[i]);
}

function varies(size: number | string): boolean {
  return typeof size === 'string' || size < 0;
}

function isByName(payload: unknown): payload is Record<string, unknown> {
  return (
    typeof payload === 'object' &&
    payload !== null &&
    !Array.isArray(payload) &&
    !ArrayBuffer.isView(payload) &&
    !isTensor(payload)
  );
}

function describe(inputs: readonly TensorInfo[]): string {
  return inputs.map(({ name, type, shape }) => `"${name}" ${type} [${shape.join(', ')}]`).join(', ');
}

function wrongType(payload: unknown, inputs: readonly TensorInfo[]): EdgeError {
  const found = isByName(payload) ? `an object with ${Object.keys(payload).slice(0, 8).join(', ') || 'nothing'}` : typeof payload;
  return new EdgeError('EDGE_INPUT_TYPE', `${found}; the model takes ${describe(inputs)}`);
}

function wrongShape(found: string, info: TensorInfo): EdgeError {
  return new EdgeError('EDGE_MODEL_INPUT_SHAPE', `${found} for ${describe([info])}`);
}

function notFiniteInput(value: number, info: TensorInfo): EdgeError {
  return new EdgeError('EDGE_INPUT_NOT_FINITE', `${value} for "${info.name}"`);
}

/** IEEE 754 binary16 bits, rounded to the nearest, ties to even. */
function floatToHalf(value: number): number {
  const float = new Float32Array([value]);
  const bits = new Uint32Array(float.buffer)[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const size = Math.abs(float[0]!);
  if (size >= 65_520) return sign | 0x7c00;
  // Below 2^-14 a half has no leading one: steps of 2^-24.
  if (size < 2 ** -14) return sign | roundHalfEven(size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  return sign | (((exponent + 15) << 10) + roundHalfEven((size / 2 ** exponent - 1) * 1024));
}

function roundHalfEven(value: number): number {
  const low = Math.floor(value);
  const rest = value - low;
  if (rest !== 0.5) return Math.round(value);
  return low % 2 === 0 ? low : low + 1;
}

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

/** Most numbers that one message may bring in JavaScript lists, which are walked through one by one. */
const MOST_VALUES = 2 * 2 ** 20;
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
  const given = shapeOf(value, info);
  const count = elementCount(given);
  const shape = fits(given, info.shape) ? given : shapeFor(count, info);
  const data = asTyped(value, info) ?? new Filler(info, given).fill(value);
  return { type: info.type, shape, data };
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

/** The shape of nested lists by the first of each, [] for a single number. */
function shapeOf(value: unknown, info: TensorInfo): number[] {
  const shape: number[] = [];
  let at = value;
  for (; isList(at); at = at[0]) {
    if (shape.length >= DEEPEST) throw new EdgeError('EDGE_INPUT_TYPE', `lists nested too deeply for "${info.name}"`);
    if (at.length === 0) throw new EdgeError('EDGE_INPUT_EMPTY', `an empty list for "${info.name}"`);
    shape.push(at.length);
  }
  if (!isNumeric(at)) throw noNumber(at, info);
  if (!isTyped(value) && elementCount(shape) > MOST_VALUES) {
    throw new EdgeError('EDGE_INPUT_TYPE', `more than ${MOST_VALUES} numbers in lists for "${info.name}"`, {
      mend: 'Send a typed array',
    });
  }
  return shape;
}

/** A typed array as the model's, copied and converted natively; undefined where that would not give the numbers that are meant. */
function asTyped(value: unknown, info: TensorInfo): TensorValue['data'] | undefined {
  if (!isTyped(value)) return undefined;
  const { type } = info;
  // By its name: what a Function node made is of another realm, where `instanceof` is false.
  const name = (value as unknown as { [Symbol.toStringTag]: string })[Symbol.toStringTag];
  const same = name === ELEMENT_ARRAYS[type].name && type !== 'bool';
  if (type === 'float16' || (!same && (name.startsWith('Big') || type === 'int64' || type === 'uint64'))) return undefined;
  const range = same ? undefined : RANGES[type];
  if (range) {
    for (let index = 0; index < value.length; index++) {
      const number = value[index] as number;
      if (!Number.isInteger(number) || number < range[0] || number > range[1]) throw wrongNumber(number, info);
    }
  }
  const data = new (ELEMENT_ARRAYS[type] as new (values: ArrayLike<unknown>) => TensorValue['data'])(value);
  if (!allFinite({ type, shape: [data.length], data })) throw new EdgeError('EDGE_INPUT_NOT_FINITE', `"${info.name}"`);
  return data;
}

/** Writes the numbers of nested lists one after another and checks each on the way. */
class Filler {
  private readonly data: Exclude<TensorValue['data'], BigInt64Array | BigUint64Array>;
  private readonly range: readonly [number, number] | undefined;
  private at = 0;

  constructor(
    private readonly info: TensorInfo,
    private readonly given: readonly number[],
  ) {
    const { type } = info;
    const count = elementCount(given);
    const plain = type === 'int64' || type === 'uint64' || type === 'float16' ? Float64Array : ELEMENT_ARRAYS[type];
    this.data = new plain(count);
    this.range = RANGES[type];
  }

  fill(value: unknown): TensorValue['data'] {
    this.take(value, 0);
    const { type } = this.info;
    if (type === 'int64') return BigInt64Array.from(this.data, BigInt);
    if (type === 'uint64') return BigUint64Array.from(this.data, BigInt);
    if (type === 'float16') return Uint16Array.from(this.data, floatToHalf);
    return this.data;
  }

  private take(value: unknown, depth: number): void {
    if (depth === this.given.length) {
      if (isList(value)) throw this.ragged();
      this.data[this.at++] = this.checked(value);
      return;
    }
    if (!isList(value) || value.length !== this.given[depth]) {
      if (!isList(value)) this.checked(value);
      throw this.ragged();
    }
    for (let index = 0; index < value.length; index++) {
      const inner = value[index];
      // Most of all are numbers in the innermost list.
      if (typeof inner === 'number' && depth + 1 === this.given.length) this.data[this.at++] = this.number(inner);
      else this.take(inner, depth + 1);
    }
  }

  private checked(value: unknown): number {
    if (isNumeric(value)) return this.number(Number(value));
    throw noNumber(value, this.info);
  }

  private number(value: number): number {
    if (!Number.isFinite(value)) throw notFiniteInput(value, this.info);
    const { range } = this;
    if (range && (!Number.isInteger(value) || value < range[0] || value > range[1])) throw wrongNumber(value, this.info);
    return value;
  }

  private ragged(): EdgeError {
    return new EdgeError('EDGE_MODEL_INPUT_SHAPE', `the lists for "${this.info.name}" are of different lengths`);
  }
}

function isNumeric(value: unknown): value is number | boolean | bigint {
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint';
}

function isTyped(value: unknown): value is ArrayLike<number | bigint> {
  return ArrayBuffer.isView(value) && !(value instanceof DataView) && 'length' in value;
}

function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || isTyped(value);
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

function noNumber(value: unknown, info: TensorInfo): EdgeError {
  return new EdgeError('EDGE_INPUT_TYPE', `${typeof value} for "${info.name}", expected numbers`);
}

function wrongNumber(value: number, info: TensorInfo): EdgeError {
  return new EdgeError('EDGE_MODEL_INPUT_TYPE', `${value} for "${info.name}", which takes ${info.type}`);
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

import { EdgeError } from '../errors';
import { bytesOf, Reference } from './reference';

export const ELEMENT_ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const;

/** ONNX element types that cross this palette. float16 travels as its 16-bit patterns, bool as bytes. */
export type ElementType = keyof typeof ELEMENT_ARRAYS;
export type TensorData = InstanceType<(typeof ELEMENT_ARRAYS)[ElementType]>;

/** A tensor as the engine works on it: row-major, `data.length` is the product of `shape`. */
export interface TensorValue {
  type: ElementType;
  shape: readonly number[];
  data: TensorData;
}

/** What a model says of one input or output; a string or -1 in the shape is a dimension that may vary. */
export interface TensorInfo {
  name: string;
  type: ElementType;
  shape: readonly (number | string)[];
}

/** One tensor on a wire: the description is plain, the data is behind `ref`. */
export interface Tensor {
  kind: 'tensor';
  type: ElementType;
  shape: number[];
  ref: Reference<TensorData>;
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Wrap a value for a wire; the caller gives the data up. @throws EDGE_MODEL_INPUT_SHAPE when data and shape do not fit. */
export function makeTensor(value: TensorValue): Tensor {
  if (value.data.length !== elementCount(value.shape)) {
    throw new EdgeError('EDGE_MODEL_INPUT_SHAPE', `${value.data.length} values for the shape [${value.shape.join(', ')}]`);
  }
  return { kind: 'tensor', type: value.type, shape: [...value.shape], ref: new Reference(value.data) };
}

export function isTensor(value: unknown): value is Tensor {
  return (
    typeof value === 'object' && value !== null && (value as Tensor).kind === 'tensor' && Array.isArray((value as Tensor).shape)
  );
}

/** The tensor's value. @throws EDGE_FRAME_GONE when the data was lost on the way. */
export function tensorValue(tensor: Tensor): TensorValue {
  return { type: tensor.type, shape: tensor.shape, data: bytesOf(tensor) as TensorData };
}

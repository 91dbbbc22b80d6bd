import { EdgeError } from '../../errors';
import { ELEMENT_ARRAYS, type ElementType, elementCount, type TensorData, type TensorValue } from '../../message/tensor';
import { create, DataType, type TensorProto, TensorProtoSchema } from './protobuf';

const TYPES: Record<ElementType, DataType> = {
  float32: DataType.FLOAT,
  float64: DataType.DOUBLE,
  float16: DataType.FLOAT16,
  uint8: DataType.UINT8,
  int8: DataType.INT8,
  uint16: DataType.UINT16,
  int16: DataType.INT16,
  int32: DataType.INT32,
  uint32: DataType.UINT32,
  int64: DataType.INT64,
  uint64: DataType.UINT64,
  bool: DataType.BOOL,
};

const ELEMENTS = new Map<number, ElementType>(Object.entries(TYPES).map(([name, type]) => [type, name as ElementType]));

export function dataType(type: ElementType): DataType {
  return TYPES[type];
}

/** Undefined for types that do not cross this palette: strings, complex numbers, 4-bit and 8-bit floats. */
export function elementType(type: number): ElementType | undefined {
  return ELEMENTS.get(type);
}

/** A named constant of a graph. */
export function constant(name: string, value: TensorValue): TensorProto {
  const { buffer, byteOffset, byteLength } = value.data;
  return create(TensorProtoSchema, {
    name,
    dims: value.shape.map(BigInt),
    dataType: TYPES[value.type],
    rawData: new Uint8Array(buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer),
  });
}

export const floats = (values: ArrayLike<number>, shape: readonly number[] = [values.length]): TensorValue => ({
  type: 'float32',
  shape,
  data: Float32Array.from(values),
});

export const integers = (values: readonly number[], shape: readonly number[] = [values.length]): TensorValue => ({
  type: 'int64',
  shape,
  data: BigInt64Array.from(values, BigInt),
});

/** The value of a constant, whichever of ONNX's fields holds it. @throws EDGE_MODEL_UNSUPPORTED, EDGE_MODEL_INVALID */
export function constantValue(tensor: TensorProto): TensorValue {
  const type = elementType(tensor.dataType);
  if (!type) throw new EdgeError('EDGE_MODEL_UNSUPPORTED', `element type ${tensor.dataType} of tensor ${tensor.name}`);
  const shape = tensor.dims.map(Number);
  const data = tensor.rawData.length > 0 ? fromRaw(type, tensor.rawData) : fromFields(type, tensor);
  if (data.length !== elementCount(shape)) {
    throw new EdgeError('EDGE_MODEL_INVALID', `tensor ${tensor.name} holds ${data.length} values for [${shape.join(', ')}]`);
  }
  return { type, shape, data };
}

function fromRaw(type: ElementType, raw: Uint8Array): TensorData {
  const { BYTES_PER_ELEMENT } = ELEMENT_ARRAYS[type];
  if (raw.length % BYTES_PER_ELEMENT !== 0) throw new EdgeError('EDGE_MODEL_INVALID', 'a tensor is cut short');
  // A copy, since raw data starts at any byte of the file and typed arrays need alignment.
  return new ELEMENT_ARRAYS[type](new Uint8Array(raw).buffer);
}

function fromFields(type: ElementType, tensor: TensorProto): TensorData {
  switch (type) {
    case 'float32':
      return Float32Array.from(tensor.floatData);
    case 'float64':
      return Float64Array.from(tensor.doubleData);
    case 'int64':
      return BigInt64Array.from(tensor.int64Data);
    case 'uint64':
      return BigUint64Array.from(tensor.uint64Data);
    case 'uint32':
      return Uint32Array.from(tensor.uint64Data, Number);
    default:
      return ELEMENT_ARRAYS[type].from(tensor.int32Data);
  }
}

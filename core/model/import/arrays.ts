import { EdgeError } from '../../errors';
import { ELEMENT_ARRAYS, type ElementType, elementCount, type TensorValue } from '../../message/tensor';

/** Arithmetic and movement on constants, as TensorFlow defines it; for what a graph computes from constants alone. */
type Shape = readonly number[];

export function filled(type: ElementType, shape: Shape): TensorValue {
  return { type, shape, data: new ELEMENT_ARRAYS[type](elementCount(shape)) };
}

export function int32s(values: readonly number[], shape: Shape = [values.length]): TensorValue {
  return { type: 'int32', shape, data: Int32Array.from(values) };
}

/** The numbers of a constant; meant for shapes, axes and the like. */
export function numbersOf({ data }: TensorValue): number[] {
  return Array.from(data as ArrayLike<number | bigint>, Number);
}

export function reshape(value: TensorValue, shape: Shape): TensorValue {
  return { ...value, shape };
}

/** A size of -1 is what remains. @throws EDGE_MODEL_INVALID when the counts do not agree. */
export function resolveShape(shape: Shape, count: number): number[] {
  const known = shape.filter((size) => size !== -1).reduce((product, size) => product * size, 1);
  const resolved = shape.map((size) => (size === -1 ? count / Math.max(known, 1) : size));
  if (elementCount(resolved) !== count || !resolved.every(Number.isInteger)) {
    throw new EdgeError('EDGE_MODEL_INVALID', `${count} values do not reshape to [${shape.join(', ')}]`);
  }
  return resolved;
}

/** Axis `at` of the result is axis `order[at]` of the value. */
export function transpose(value: TensorValue, order: readonly number[]): TensorValue {
  const strides = stridesOf(value.shape);
  return gather(
    value,
    order.map((axis) => value.shape[axis]!),
    order.map((axis) => strides[axis]!),
  );
}

export function slice(value: TensorValue, begin: readonly number[], size: Shape, step: readonly number[]): TensorValue {
  const strides = stridesOf(value.shape);
  const offset = begin.reduce((sum, at, axis) => sum + at * strides[axis]!, 0);
  return gather(
    value,
    size,
    strides.map((stride, axis) => stride * step[axis]!),
    offset,
  );
}

export function tile(value: TensorValue, repeats: readonly number[]): TensorValue {
  return repeats.reduce((tiled, count, axis) => concat(new Array<TensorValue>(count).fill(tiled), axis), value);
}

export function concat(values: readonly TensorValue[], axis: number): TensorValue {
  const first = values[0];
  if (!first) throw new EdgeError('EDGE_MODEL_INVALID', 'nothing to join');
  const shape = first.shape.map((size, at) => (at === axis ? values.reduce((sum, value) => sum + value.shape[axis]!, 0) : size));
  const joined = filled(first.type, shape);
  const rows = elementCount(shape.slice(0, axis));
  let offset = 0;
  for (const value of values) {
    const run = value.data.length / Math.max(rows, 1);
    const whole = elementCount(shape.slice(axis));
    for (let row = 0; row < rows; row += 1) {
      joined.data.set(value.data.subarray(row * run, (row + 1) * run) as never, row * whole + offset);
    }
    offset += run;
  }
  return joined;
}

export function cast(value: TensorValue, type: ElementType): TensorValue {
  const result = filled(type, value.shape);
  for (let at = 0; at < value.data.length; at += 1) {
    const number = Number(value.data[at]);
    result.data[at] = type === 'bool' ? Number(number !== 0) : type === 'float32' ? number : Math.trunc(number);
  }
  return result;
}

/** @throws EDGE_MODEL_INVALID when the shapes do not broadcast. */
export function broadcastShape(shapes: readonly Shape[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    const sizes = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1).filter((size) => size !== 1);
    if (sizes.some((size) => size !== sizes[0])) {
      throw new EdgeError(
        'EDGE_MODEL_INVALID',
        `shapes that do not broadcast: ${shapes.map((s) => `[${s.join(', ')}]`).join(' ')}`,
      );
    }
    return sizes[0] ?? 1;
  });
}

export function combine(
  one: TensorValue,
  other: TensorValue,
  compute: (a: number, b: number) => number,
  type: ElementType = one.type,
): TensorValue {
  const shape = broadcastShape([one.shape, other.shape]);
  const [a, b] = [broadcast(one, shape), broadcast(other, shape)];
  const result = filled(type, shape);
  for (let at = 0; at < result.data.length; at += 1) result.data[at] = compute(Number(a.data[at]), Number(b.data[at]));
  return result;
}

function broadcast(value: TensorValue, shape: Shape): TensorValue {
  if (value.shape.length === shape.length && value.shape.every((size, axis) => size === shape[axis])) return value;
  const missing = shape.length - value.shape.length;
  const strides = stridesOf(value.shape);
  return gather(
    value,
    shape,
    shape.map((_, axis) => (axis < missing || value.shape[axis - missing] === 1 ? 0 : strides[axis - missing]!)),
  );
}

function stridesOf(shape: Shape): number[] {
  return shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
}

/** Walk the value by strides: every movement is one of these. */
function gather(value: TensorValue, shape: Shape, strides: readonly number[], offset = 0): TensorValue {
  const result = filled(value.type, shape);
  const index = shape.map(() => 0);
  let from = offset;
  for (let to = 0; to < result.data.length; to += 1) {
    result.data[to] = value.data[from] as never;
    for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
      index[axis]! += 1;
      from += strides[axis]!;
      if (index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return result;
}

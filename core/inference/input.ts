import { EdgeError } from '../errors';
import { ELEMENT_ARRAYS, elementCount, type TensorInfo, type TensorValue } from '../message/tensor';
import type { Tensors } from './backend';

/**
 * Hold what is fed against what the model declares: names, element types, shapes. Costs microseconds and never looks at the data.
 * @throws EDGE_MODEL_INPUT_TYPE, EDGE_MODEL_INPUT_SHAPE with what was expected and what was got.
 */
export function checkFeeds(feeds: Tensors, inputs: readonly TensorInfo[]): void {
  const sizes = new Map<string, number>();
  for (const input of inputs) {
    const value = Object.hasOwn(feeds, input.name) ? feeds[input.name] : undefined;
    if (value === undefined) {
      throw new EdgeError('EDGE_MODEL_INPUT_SHAPE', `the input ${describe(input)} is missing, got ${list(Object.keys(feeds))}`);
    }
    checkType(input, value);
    checkShape(input, value, sizes);
  }
  const unknown = Object.keys(feeds).find((name) => !inputs.some((input) => input.name === name));
  if (unknown !== undefined) {
    throw new EdgeError('EDGE_MODEL_INPUT_SHAPE', `expected ${list(inputs.map(describe))}, got also ${unknown}`);
  }
}

/** "images float32 [1, 3, 416, 416]" */
export function describe(info: TensorInfo): string {
  return `${info.name} ${info.type} ${shapeText(info.shape)}`;
}

function checkType(input: TensorInfo, value: TensorValue): void {
  if (value.type !== input.type) {
    throw new EdgeError('EDGE_MODEL_INPUT_TYPE', `expected ${describe(input)}, got ${value.type}`);
  }
  const expected = ELEMENT_ARRAYS[input.type];
  if (!(value.data instanceof expected)) {
    const got = (value.data as object | undefined)?.constructor?.name ?? typeof value.data;
    throw new EdgeError('EDGE_MODEL_INPUT_TYPE', `expected a ${expected.name} for ${describe(input)}, got ${got}`);
  }
}

function checkShape(input: TensorInfo, value: TensorValue, sizes: Map<string, number>): void {
  const { shape } = value;
  const fits =
    shape.length === input.shape.length &&
    shape.every((size, axis) => {
      const declared = input.shape[axis]!;
      if (!Number.isSafeInteger(size) || size < 0) return false;
      if (typeof declared === 'number') return declared < 0 || declared === size;
      // One name is one size, in whichever inputs it occurs.
      const known = sizes.get(declared);
      sizes.set(declared, size);
      return known === undefined || known === size;
    });
  if (!fits) throw new EdgeError('EDGE_MODEL_INPUT_SHAPE', `expected ${describe(input)}, got [${shape.join(', ')}]`);
  if (value.data.length !== elementCount(shape)) {
    throw new EdgeError(
      'EDGE_MODEL_INPUT_SHAPE',
      `expected ${elementCount(shape)} values for ${input.name} [${shape.join(', ')}], got ${value.data.length}`,
    );
  }
}

function shapeText(shape: readonly (number | string)[]): string {
  return `[${shape.map((size) => (size === -1 ? '?' : size)).join(', ')}]`;
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'nothing' : names.join(' and ');
}

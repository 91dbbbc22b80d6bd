import { EdgeError } from '../errors';
import { ELEMENT_ARRAYS, elementCount, type TensorInfo, type TensorValue } from '../message/tensor';
import type { Tensors } from './backend';
import { allFinite, PAGE_BYTES, VECTOR_STEP, type VectorCheck, vectorCheck } from './finite';

/** Where a run's inputs lie in the shared memory of a slot. */
export interface SlotLayout {
  shapes: readonly (readonly number[])[];
  /** Bytes from the beginning: of all values, of each input's, and of the end. */
  start: number;
  offsets: readonly number[];
  byteLength: number;
}

/**
 * A slot holds the sizes of all shapes as int32, in the model's order of inputs, then each input's values from a multiple of 64
 * bytes on. Most models are given the same shapes again and again, so the last layout is kept.
 */
export class SlotLayouts {
  private readonly start: number;
  private last: SlotLayout | undefined;

  constructor(private readonly inputs: readonly TensorInfo[]) {
    const sizes = inputs.reduce((sum, { shape }) => sum + shape.length, 0);
    this.start = align(sizes * Int32Array.BYTES_PER_ELEMENT);
  }

  /** Of these shapes, one per input. */
  of(shapes: readonly (readonly number[])[]): SlotLayout {
    if (this.last && sameShapes(this.last.shapes, shapes)) return this.last;
    let end = this.start;
    const offsets = this.inputs.map(({ type }, index) => {
      const offset = end;
      end = align(end + elementCount(shapes[index]!) * ELEMENT_ARRAYS[type].BYTES_PER_ELEMENT);
      return offset;
    });
    this.last = { shapes, start: this.start, offsets, byteLength: Math.max(end, VECTOR_STEP) };
    return this.last;
  }

  write(slot: SharedArrayBuffer, shapes: readonly (readonly number[])[]): void {
    const sizes = new Int32Array(slot);
    let at = 0;
    for (const shape of shapes) for (const size of shape) sizes[at++] = size;
  }

  read(slot: SharedArrayBuffer): SlotLayout {
    const sizes = new Int32Array(slot);
    let at = 0;
    return this.of(this.inputs.map(({ shape }) => shape.map(() => sizes[at++]!)));
  }
}

/**
 * The memory in which the inputs of a run lie while the engine works on them, laid out as a slot is. What fills it is either a
 * slot, or the pipe of a process; the values are looked at for NaN while they are in the cache.
 */
export class InputMemory {
  private readonly layouts: SlotLayouts;
  private readonly vectors: VectorCheck | undefined = vectorCheck(PAGE_BYTES);
  private plain = new ArrayBuffer(0);

  constructor(private readonly inputs: readonly TensorInfo[]) {
    this.layouts = new SlotLayouts(inputs);
  }

  /**
   * The inputs of a worker's slot, valid until the next call: copied out of the shared memory, which the engine refuses on Node.js
   * 20 and which must be free for the next input while this one runs. @throws EDGE_INPUT_NOT_FINITE
   */
  fromSlot(slot: SharedArrayBuffer): Tensors {
    const layout = this.layouts.read(slot);
    const { start, byteLength } = layout;
    const bytes = new Uint8Array(this.memory(byteLength), 0, byteLength);
    bytes.set(new Uint8Array(slot, start, byteLength - start), start);
    return this.feeds(layout, bytes);
  }

  /** The inputs of these shapes, each read by `read`; valid until the next call. @throws EDGE_INPUT_NOT_FINITE */
  fromStream(shapes: readonly (readonly number[])[], read: (target: Uint8Array) => void): Tensors {
    const layout = this.layouts.of(shapes);
    const bytes = new Uint8Array(this.memory(layout.byteLength), 0, layout.byteLength);
    this.inputs.forEach(({ type }, index) => {
      const offset = layout.offsets[index]!;
      read(bytes.subarray(offset, offset + elementCount(shapes[index]!) * ELEMENT_ARRAYS[type].BYTES_PER_ELEMENT));
    });
    return this.feeds(layout, bytes);
  }

  private feeds({ shapes, offsets }: SlotLayout, bytes: Uint8Array<ArrayBuffer>): Tensors {
    const memory = bytes.buffer;
    const feeds: Tensors = {};
    for (let index = 0; index < this.inputs.length; index++) {
      const { name, type } = this.inputs[index]!;
      const shape = shapes[index]!;
      const offset = offsets[index]!;
      const data = new ELEMENT_ARRAYS[type](memory, offset, elementCount(shape));
      const value = { type, shape, data } as TensorValue;
      if (!this.isFinite(value, bytes, offset)) throw new EdgeError('EDGE_INPUT_NOT_FINITE', `the input ${name}`);
      feeds[name] = value;
    }
    return feeds;
  }

  private isFinite(value: TensorValue, bytes: Uint8Array, offset: number): boolean {
    if (!this.vectors || value.type !== 'float32') return allFinite(value);
    const end = offset + value.data.byteLength;
    const aligned = align(end);
    // What an earlier, larger input left behind the values is none of them.
    if (aligned > end) bytes.fill(0, end, aligned);
    return this.vectors.finite(offset, aligned);
  }

  private memory(byteLength: number): ArrayBuffer {
    if (!this.vectors) {
      if (this.plain.byteLength < byteLength) this.plain = new ArrayBuffer(byteLength);
      return this.plain;
    }
    const { memory } = this.vectors;
    const lacking = byteLength - memory.buffer.byteLength;
    if (lacking > 0) memory.grow(Math.ceil(lacking / PAGE_BYTES));
    return memory.buffer as ArrayBuffer;
  }
}

function sameShapes(some: readonly (readonly number[])[], others: readonly (readonly number[])[]): boolean {
  for (let index = 0; index < some.length; index++) {
    const one = some[index]!;
    const other = others[index]!;
    for (let axis = 0; axis < one.length; axis++) if (one[axis] !== other[axis]) return false;
  }
  return true;
}

function align(bytes: number): number {
  return Math.ceil(bytes / VECTOR_STEP) * VECTOR_STEP;
}

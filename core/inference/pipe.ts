import { readSync, writeSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { ELEMENT_ARRAYS, type ElementType, elementCount, type TensorData, type TensorValue } from '../message/tensor';
import type { SessionOptions } from './backend';
import type { FromWorker, Measuring } from './wire';

/**
 * What goes through the pipe between Node-RED and the process of a model: a length, a head in JSON, and the bytes of tensors as
 * they are. A pipe of our own and not the channel of `fork()`: that one copies and serializes every byte on Node-RED's thread, 1.5 ms
 * a megabyte with pauses of the event loop up to 90 ms, and this one takes 0.4 ms a megabyte in turns of one megabyte.
 */
export type ToChild =
  | OpenMessage
  /** Followed by the inputs' bytes, in the model's order. */
  | { kind: 'run'; shapes: readonly (readonly number[])[] }
  | { kind: 'stop' };

export interface OpenMessage {
  kind: 'open';
  backend: string;
  path: string;
  options: SessionOptions;
  measuring: Measuring;
  memoryBytes: number;
}

/** As a worker says it; of `done` only what describes the outputs, whose bytes follow in this order. */
export type FromChild = Exclude<FromWorker, { kind: 'done' }> | DoneHead;

interface DoneHead {
  kind: 'done';
  outputs: { name: string; type: ElementType; shape: readonly number[] }[];
  startedAt: number;
  runMs: number;
}

/** The descriptors of the child: its pipe, and the line that ends when its owner does. */
export const PIPE = 3;
export const LIFELINE = 4;

/** Bytes written before the event loop gets a turn: larger inputs are sent in slices. */
export const SLICE_BYTES = 2 ** 20;

/** A child that is out of its mind may say anything. */
const LONGEST_HEAD = 2 ** 24;
const MOST_BYTES = 2 ** 31;

const LENGTH_BYTES = 4;

/** Write a message and the bytes that belong to it, piece by piece. Never rejects: a pipe that broke says so to its listeners. */
export async function send(pipe: Writable, message: ToChild, parts: readonly Uint8Array[] = []): Promise<void> {
  pipe.write(headOf(message));
  for (const part of parts) {
    for (let from = 0; from < part.byteLength; from += SLICE_BYTES) {
      const slice = part.subarray(from, from + SLICE_BYTES);
      // A small input is written at once, so that the child gets it with the head.
      if (part.byteLength <= SLICE_BYTES) pipe.write(slice);
      else await new Promise<void>((resolve) => pipe.write(slice, () => resolve()));
      if (pipe.destroyed) return;
    }
  }
}

/** Puts the messages of a child together out of the pieces in which they come. The arrays of outputs are the receiver's. */
export class ChildMessages {
  private readonly length = new Uint8Array(LENGTH_BYTES);
  private readonly steps: Uint8Array[] = [this.length];
  private filled = 0;
  private head: Uint8Array | undefined;
  private done: (FromWorker & { kind: 'done' }) | undefined;

  constructor(private readonly onMessage: (message: FromWorker) => void) {}

  /** @throws RangeError, SyntaxError or TypeError for what no child of ours writes. */
  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.byteLength; ) {
      const target = this.steps[0]!;
      const count = Math.min(target.byteLength - this.filled, chunk.byteLength - at);
      target.set(chunk.subarray(at, at + count), this.filled);
      this.filled += count;
      at += count;
      while (this.steps[0]?.byteLength === this.filled) this.next();
    }
  }

  /** The first step is filled. */
  private next(): void {
    const filled = this.steps.shift()!;
    this.filled = 0;
    if (filled === this.length) {
      const bytes = new DataView(filled.buffer).getUint32(0, true);
      if (bytes > LONGEST_HEAD) throw new RangeError(`a head of ${bytes} bytes`);
      this.head = new Uint8Array(bytes);
      this.steps.push(this.head);
      return;
    }
    if (filled === this.head) this.readHead(JSON.parse(Buffer.from(filled).toString()) as FromChild);
    if (this.steps.length > 0) return;
    if (this.done) this.onMessage(this.done);
    this.done = undefined;
    this.steps.push(this.length);
  }

  private readHead(message: FromChild): void {
    if (message.kind !== 'done') {
      this.onMessage(message);
      return;
    }
    const outputs = message.outputs.map(({ name, type, shape }): [string, TensorValue] => {
      if (!(elementCount(shape) * 8 <= MOST_BYTES)) throw new RangeError(`an output of [${shape.join(', ')}]`);
      return [name, { type, shape, data: new ELEMENT_ARRAYS[type](elementCount(shape)) }];
    });
    this.done = { ...message, outputs };
    this.steps.push(...outputs.map(([, { data }]) => bytesOf(data)).filter(({ byteLength }) => byteLength > 0));
  }
}

/** The child's end: it reads and writes and does nothing else meanwhile. */
export class OwnersPipe {
  /** The next message, undefined when the owner is gone. */
  read(): ToChild | undefined {
    const length = new Uint8Array(LENGTH_BYTES);
    if (!this.readInto(length)) return undefined;
    const head = Buffer.alloc(new DataView(length.buffer).getUint32(0, true));
    return this.readInto(head) ? (JSON.parse(head.toString()) as ToChild) : undefined;
  }

  /** Fill the target with the bytes that follow a message; false when the owner is gone. */
  readInto(target: Uint8Array): boolean {
    for (let at = 0; at < target.byteLength; ) {
      const count = readSync(PIPE, target, at, target.byteLength - at, null);
      if (count === 0) return false;
      at += count;
    }
    return true;
  }

  write(message: FromWorker): void {
    if (message.kind !== 'done') {
      writeWhole(headOf(message));
      return;
    }
    const outputs = message.outputs.map(([name, { type, shape }]) => ({ name, type, shape }));
    writeWhole(headOf({ ...message, outputs }));
    for (const [, { data }] of message.outputs) writeWhole(bytesOf(data));
  }
}

function headOf(message: ToChild | FromChild): Buffer {
  const text = Buffer.from(JSON.stringify(message));
  const head = Buffer.allocUnsafe(LENGTH_BYTES + text.byteLength);
  head.writeUInt32LE(text.byteLength);
  text.copy(head, LENGTH_BYTES);
  return head;
}

function writeWhole(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.byteLength; ) at += writeSync(PIPE, bytes, at);
}

/** The memory of the values, as bytes and without a copy. */
export function bytesOf(data: TensorData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

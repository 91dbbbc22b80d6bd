import { EdgeError, ERRORS, type ErrorCode } from '../errors';
import type { TensorInfo, TensorValue } from '../message/tensor';
import type { SessionOptions } from './backend';

/** What the worker of a session and its owner tell each other. The bytes of inputs are not in it: they lie in shared slots. */
export interface WorkerStart {
  backend: string;
  path: string;
  options: SessionOptions;
  control: Int32Array;
}

export type ToWorker =
  | { kind: 'slot'; slot: number; memory: SharedArrayBuffer }
  /** Run with what lies in `slot`: for each declared input its shape, in the model's order; see `slotLayout`. */
  | { kind: 'run'; id: number; slot: number; shapes: (readonly number[])[] }
  | { kind: 'stop' };

export type FromWorker =
  | {
      kind: 'ready';
      engineVersion: string;
      inputs: readonly TensorInfo[];
      outputs: readonly TensorInfo[];
      /** Milliseconds of one run on inputs made up to the declared shapes; absent where such a run failed. */
      medianMs: number | undefined;
      batchable: boolean;
    }
  | { kind: 'refused'; error: PlainError }
  /** `startedAt` on the clock of `monotonicMs`; the buffers of `outputs` are the receiver's. */
  | { kind: 'done'; id: number; outputs: [name: string, value: TensorValue][]; startedAt: number; runMs: number }
  | { kind: 'failed'; id: number; error: PlainError };

/** Words of the control array that a worker and its owner share. */
export const CONTROL = {
  /** How many messages were sent to the worker; it sleeps on this word. */
  SENT: 0,
  /** 1 while the worker is inside the engine, where it must not be ended. */
  BUSY: 1,
  /** 1 when the process is about to exit: the worker enters the engine no more. */
  EXITING: 2,
  LENGTH: 16,
} as const;

/** Every input starts on its own cache line. */
const ALIGNMENT = 64;

/** Where each input of these byte lengths lies in a slot, and how long the slot must be. */
export function slotLayout(byteLengths: readonly number[]): { offsets: number[]; byteLength: number } {
  let end = 0;
  const offsets = byteLengths.map((length) => {
    const offset = end;
    end += Math.ceil(length / ALIGNMENT) * ALIGNMENT;
    return offset;
  });
  return { offsets, byteLength: Math.max(end, ALIGNMENT) };
}

/** Milliseconds on a clock that all threads of a process share. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export interface PlainError {
  code: ErrorCode;
  /** What follows the table's sentence. */
  rest: string;
  retryAfter: number | undefined;
}

/** An EdgeError for another thread, where its class and prototype would be lost. */
export function toPlainError(error: EdgeError): PlainError {
  return { code: error.code, rest: error.message.slice(ERRORS[error.code].length), retryAfter: error.retryAfter };
}

export function fromPlainError({ code, rest, retryAfter }: PlainError): EdgeError {
  // The sentence goes on with ": what was found", or without it with ". What mends it".
  const options = {
    ...(rest.startsWith('. ') ? { mend: rest.slice(2) } : {}),
    ...(retryAfter === undefined ? {} : { retryAfter }),
  };
  return new EdgeError(code, rest.startsWith(': ') ? rest.slice(2) : undefined, options);
}

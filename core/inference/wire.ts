import { EdgeError, ERRORS, type ErrorCode } from '../errors';
import type { TensorInfo, TensorValue } from '../message/tensor';
import type { SessionOptions } from './backend';
import type { Measurement } from './measure';

/** What the worker of a session and its owner tell each other. The bytes of inputs are not in it: they lie in shared slots. */
export interface WorkerStart {
  backend: string;
  path: string;
  options: SessionOptions;
  measuring: Measuring;
  control: Int32Array;
}

/** What is done with a model once it is open: measured, left alone, or run once where it was measured before. */
export type Measuring = boolean | Measurement;

/** Memory of a slot, sent before the first run that lies in it. Everything else goes through the control array. */
export interface SlotMessage {
  slot: number;
  memory: SharedArrayBuffer;
}

/** `done` and `failed` come in the order in which the runs were asked for. */
export type FromWorker =
  /** It is open, and measured next. */
  | { kind: 'opened' }
  | {
      kind: 'ready';
      engineVersion: string;
      inputs: readonly TensorInfo[];
      outputs: readonly TensorInfo[];
      /** Milliseconds of one run on inputs made up to the declared shapes; absent where such a run failed. */
      medianMs: number | undefined;
      batchable: boolean;
      notes: readonly string[];
    }
  | { kind: 'refused'; error: PlainError }
  /** `startedAt` on the clock of `monotonicMs`; the buffers of `outputs` are the receiver's. */
  | { kind: 'done'; outputs: [name: string, value: TensorValue][]; startedAt: number; runMs: number }
  | { kind: 'failed'; error: PlainError };

/**
 * How many inputs a worker is given at a time: while one runs the next is copied already, so that the thread need not wait between
 * runs. Run n lies in slot n modulo this.
 */
export const SLOTS = 2;

/** Words of the control array that a worker and its owner share. */
export const CONTROL = {
  /** How many runs were asked for; the worker sleeps on this word. */
  SENT: 0,
  /** 1 while the worker is inside the engine, where it must not be ended. */
  BUSY: 1,
  /** 1 when the process is about to exit: the worker enters the engine no more. */
  EXITING: 2,
  /** 1 when the worker is to end after the runs that it was sent; counted in SENT like a run. */
  STOP: 3,
  /** Bytes of each slot's memory, one word per slot: it is new when this changes, for it only grows. */
  SLOT_BYTES: 4,
  LENGTH: 16,
} as const;

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

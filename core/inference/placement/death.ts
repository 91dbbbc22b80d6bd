import { constants } from 'node:os';
import { EdgeError, type ErrorCode } from '../../errors';

/** An end for which the model, on this machine and with this engine, is to blame. */
export interface Death {
  cause: 'signal' | 'timeout' | 'memory';
  /** In words: "SIGSEGV", "1.2 GB". */
  detail: string;
}

/** What the errors of this file tell of, for those who keep a record of it. */
const deaths = new WeakMap<Error, Death>();

/** The death that an error tells of; undefined for one for which the model is not to blame. */
export function deathOf(error: unknown): Death | undefined {
  return error instanceof Error ? deaths.get(error) : undefined;
}

export const CODE_OF: Readonly<Record<Death['cause'], ErrorCode>> = {
  signal: 'EDGE_MODEL_CRASHED',
  timeout: 'EDGE_MODEL_TIMEOUT',
  memory: 'EDGE_MODEL_MEMORY',
};

/** What a signal means to somebody who looks after a model and not after processors. */
const MEANINGS: Readonly<Record<string, string>> = {
  SIGILL: 'an instruction that this processor does not know',
  SIGSEGV: 'an access to memory that is not its own',
  SIGBUS: 'an access to memory that is not there',
  SIGFPE: 'an arithmetic error',
  SIGABRT: 'the engine gave up',
  SIGKILL: 'killed from outside, perhaps because the machine ran out of memory',
};

/** Windows ends a crashed process with the code of the exception. */
const FIRST_EXCEPTION = 0xc0000000;

/** Milliseconds after which a crash that happens once is worth another try. */
const RETRY_MS = 1000;

/** The end of a life that was given up after `limitMs`. */
export function timedOut(what: string, limitMs: number): EdgeError {
  const detail = `${what} took more than ${limitMs / 1000} s`;
  return died({ cause: 'timeout', detail }, detail, 'Allow it a longer run at the model, if it only is slow');
}

/** The end of a process that held more than it may. Both in bytes. */
export function tookMemory(held: number, limit: number): EdgeError {
  const detail = `${megabytes(held)}, ${megabytes(limit)} are allowed`;
  return died({ cause: 'memory', detail }, detail, 'Choose a smaller model or input, or allow it more memory at the model');
}

/** The end of a process that nobody asked to end. `words` is what it said last, on standard error. */
export function crashed(code: number | null, signal: NodeJS.Signals | null, words: string): EdgeError {
  const exception = code !== null && code >= FIRST_EXCEPTION ? `exception 0x${code.toString(16)}` : signalOf(code);
  const what = signal ?? exception;
  const said = words ? ` (${words})` : '';
  if (what === undefined) return new EdgeError('EDGE_WORKER_EXITED', `it exited with ${code}${said}`, { retryAfter: RETRY_MS });
  const meaning = MEANINGS[what];
  return died({ cause: 'signal', detail: what }, `${what}${meaning ? `, ${meaning}` : ''}${said}`);
}

function died(death: Death, found = death.detail, mend?: string): EdgeError {
  const options = { retryAfter: RETRY_MS, ...(mend === undefined ? {} : { mend }) };
  const error = new EdgeError(CODE_OF[death.cause], found, options);
  deaths.set(error, death);
  return error;
}

/** A shell between us, as some containers have it, reports the signal as 128 and its number. */
function signalOf(code: number | null): string | undefined {
  if (code === null || code <= 128) return undefined;
  return Object.entries(constants.signals).find(([, number]) => number === code - 128)?.[0];
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}

import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { EdgeError, type ErrorCode } from '../../errors';
import type { ImageInput } from '../manifest';
import type { ClassMapOptions } from './fold-class-map';
import type { ModelMetadata } from './metadata';

/** What the thread is asked for, by the model's file. */
export type GraphRequest =
  | { kind: 'metadata'; path: string }
  | { kind: 'fold'; path: string; folding: Folding }
  | { kind: 'dequantize'; path: string };

/** What is folded into a graph: the preparation of its picture, the choice of a segmentation's classes, or both. */
export interface Folding {
  input?: ImageInput;
  classMap?: ClassMapOptions;
}

/** `message` is the whole sentence of an error with a code. */
export type GraphAnswer = { id: number; value: unknown } | { id: number; error: { code: ErrorCode; message: string } };

/** Milliseconds after which a thread that nobody asks is ended. */
const IDLE_MS = 5000;

interface Asked {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

let worker: Worker | undefined;
let idle: NodeJS.Timeout | undefined;
let asked = 0;
const waiting = new Map<number, Asked>();

/** What an ONNX file says of itself, see modelMetadata. @throws EDGE_MODEL_INVALID, EDGE_MODEL_EXTERNAL_DATA, EDGE_MODEL_NOT_FOUND */
export async function readMetadata(path: string): Promise<ModelMetadata> {
  const metadata = (await ask({ kind: 'metadata', path })) as ModelMetadata;
  // What crosses threads gets a prototype, and these keys come from a file.
  return { ...metadata, properties: Object.assign(Object.create(null) as Record<string, string>, metadata.properties) };
}

/** A model's file with these folded in, see foldImageInput and foldClassMap. @throws EDGE_MODEL_*, EDGE_MODEL_NOT_FOUND */
export async function foldedModel(path: string, folding: Folding): Promise<Uint8Array> {
  return (await ask({ kind: 'fold', path, folding })) as Uint8Array;
}

/** A quantized model's file made float, see dequantizeModel; null where nothing can be. @throws EDGE_MODEL_*, EDGE_MODEL_NOT_FOUND */
export async function dequantizedModel(path: string): Promise<Uint8Array | null> {
  return (await ask({ kind: 'dequantize', path })) as Uint8Array | null;
}

/**
 * Graphs are read and rewritten on a thread of their own: a model of some megabytes takes tens of milliseconds, a large one
 * seconds, for which Node-RED's loop must not stand still. Nothing native runs there, so it may be ended at any time.
 */
function ask(request: GraphRequest): Promise<unknown> {
  clearTimeout(idle);
  worker ??= start();
  worker.ref();
  const id = ++asked;
  const answer = new Promise<unknown>((resolve, reject) => waiting.set(id, { resolve, reject }));
  worker.postMessage({ id, request });
  return answer;
}

function start(): Worker {
  const started = new Worker(join(__dirname, 'graph-worker.js'));
  const lost = (why: string) => {
    if (worker !== started) return;
    worker = undefined;
    for (const { reject } of waiting.values()) reject(new EdgeError('EDGE_MODEL_INVALID', `it could not be read: ${why}`));
    waiting.clear();
  };
  started.on('message', (answer: GraphAnswer) => {
    settle(answer);
    if (waiting.size > 0) return;
    // A process that has nothing else to do need not wait for it.
    started.unref();
    idle = setTimeout(() => {
      worker = undefined;
      void started.terminate();
    }, IDLE_MS).unref();
  });
  started.on('error', (error: Error) => lost(error.message));
  started.on('exit', (code) => lost(`its thread ended with ${code}`));
  return started;
}

function settle(answer: GraphAnswer): void {
  const one = waiting.get(answer.id);
  waiting.delete(answer.id);
  if ('value' in answer) one?.resolve(answer.value);
  else {
    const { code, message } = answer.error;
    one?.reject(Object.defineProperty(new EdgeError(code), 'message', { value: message, configurable: true, writable: true }));
  }
}

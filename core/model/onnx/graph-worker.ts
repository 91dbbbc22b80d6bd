import { readFile } from 'node:fs/promises';
import { parentPort } from 'node:worker_threads';
import { asEdgeError, EdgeError } from '../../errors';
import { dequantizeModel } from './dequantize';
import { foldClassMap } from './fold-class-map';
import { foldImageInput } from './fold-input';
import type { Folding, GraphAnswer, GraphRequest } from './graph-thread';
import { modelMetadata } from './metadata';

/** The other side of graph-thread.ts: one request after the other, each with its answer. */
let last: Promise<void> = Promise.resolve();

parentPort!.on('message', ({ id, request }: { id: number; request: GraphRequest }) => {
  last = last.then(() => answer(id, request));
});

async function answer(id: number, request: GraphRequest): Promise<void> {
  try {
    const bytes = await readFile(request.path).catch((cause) => {
      throw new EdgeError('EDGE_MODEL_NOT_FOUND', request.path, { cause });
    });
    if (request.kind === 'metadata') post({ id, value: modelMetadata(bytes) });
    else {
      const made = request.kind === 'fold' ? folded(bytes, request.folding) : (dequantizeModel(bytes)?.model ?? null);
      post({ id, value: made }, made ?? undefined);
    }
  } catch (thrown) {
    const { code, message } = asEdgeError(thrown, 'EDGE_MODEL_INVALID');
    post({ id, error: { code, message } });
  }
}

function folded(bytes: Uint8Array, { input, classMap }: Folding): Uint8Array {
  const behind = classMap ? foldClassMap(bytes, classMap) : bytes;
  return input ? foldImageInput(behind, input) : behind;
}

function post(message: GraphAnswer, given?: Uint8Array): void {
  const whole = given && given.byteLength === given.buffer.byteLength;
  parentPort!.postMessage(message, whole ? [given.buffer as ArrayBuffer] : []);
}

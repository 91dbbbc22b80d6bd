import { readFile } from 'node:fs/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { type Dequantized, dequantizeModel } from './dequantize';

/** Widens a model of megabytes, which takes parts of a second, off the thread that asked. */
void (async () => {
  const made: Dequantized | null = dequantizeModel(await readFile(workerData as string));
  parentPort!.postMessage(made, made ? [made.model.buffer as ArrayBuffer] : []);
})();

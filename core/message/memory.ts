import { totalmem } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { EdgeError } from '../errors';

/**
 * How many bytes of pictures and tensors are alive: what was made less what the garbage collector has taken back. Nodes that
 * hold messages (delay, join, a context) hold their pictures too, so the total is capped: better one refused frame with a
 * code than an operating system that kills Node-RED. A buffer that many frames share counts once, whole, as it is held whole.
 */
let held = 0;
let limit = Math.min(1024 * 2 ** 20, Math.floor(totalmem() / 4));
const counted = new WeakSet<object>();

const taken = new FinalizationRegistry<number>((bytes) => {
  held -= bytes;
});

/** Count what `bytes` lies in as alive for as long as it is. @throws EDGE_MEMORY_LIMIT when the cap would be passed. */
export function account(bytes: ArrayBufferView): void {
  const { buffer } = bytes;
  if (counted.has(buffer)) return;
  // The collector knows nothing of this cap: where few objects are made it may not run for minutes.
  if (held + buffer.byteLength > limit * COLLECT_AT) collectGarbage();
  if (held + buffer.byteLength > limit) {
    throw new EdgeError('EDGE_MEMORY_LIMIT', `${megabytes(held)} alive, ${megabytes(limit)} allowed`, {
      mend: 'Some node holds messages with pictures: a delay, a join, a queue or a context',
    });
  }
  held += buffer.byteLength;
  counted.add(buffer);
  taken.register(buffer, buffer.byteLength);
}

/** Bytes of referenced data alive in this process. */
export function heldBytes(): number {
  return held;
}

/** The cap in bytes; by default a quarter of the machine's memory, at most 1 GiB. */
export function memoryLimit(): number {
  return limit;
}

export function setMemoryLimit(bytes: number): void {
  limit = bytes;
}

/** Share of the cap from which on the collector is asked, and milliseconds between two times: a collection takes some 40 ms. */
const COLLECT_AT = 0.75;
const COLLECT_EVERY_MS = 1000;

type Collector = (options: { type: 'major'; execution: 'async' }) => Promise<void>;
let collector: Collector | undefined;
let collectedAt = 0;

function collectGarbage(): void {
  if (Date.now() - collectedAt < COLLECT_EVERY_MS) return;
  collectedAt = Date.now();
  if (!collector) {
    setFlagsFromString('--expose-gc');
    collector = runInNewContext('gc') as Collector;
    setFlagsFromString('--no-expose-gc');
  }
  // In a task of its own, when nothing of the present one is on the stack any more.
  void collector({ type: 'major', execution: 'async' });
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}

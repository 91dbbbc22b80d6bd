import { totalmem } from 'node:os';
import { types } from 'node:util';
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
  if (types.isSharedArrayBuffer(buffer)) {
    accountPixels(buffer);
    return;
  }
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
  return held + pixelsSeen + pixelsSince;
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

type Collector = (options: { type: 'major' | 'minor'; execution: 'async' | 'sync' }) => unknown;
let loadedCollector: Collector | undefined;
let collectedAt = 0;

function collectGarbage(): void {
  if (Date.now() - collectedAt < COLLECT_EVERY_MS) return;
  collectedAt = Date.now();
  // In a task of its own, when nothing of the present one is on the stack any more.
  void collector()({ type: 'major', execution: 'async' });
}

function collector(): Collector {
  if (!loadedCollector) {
    setFlagsFromString('--expose-gc');
    loadedCollector = runInNewContext('gc') as Collector;
    setFlagsFromString('--no-expose-gc');
  }
  return loadedCollector;
}

/**
 * Memory for the pixels of a stream. V8 counts the bytes of an ordinary buffer as its own and collects its whole heap each time
 * some tens of megabytes were made: with one camera of 640x480 every few seconds, 10 to 40 ms in which nothing else runs. It does
 * not count shared memory. Such pictures nearly all die young, so a look at the young ones alone (about a millisecond), after each
 * 32 MB, gives their memory back.
 */
export function pixelMemory(length: number): Buffer {
  return Buffer.from(new SharedArrayBuffer(length));
}

/** Bytes of pixels after which the young ones are looked at; and bytes by which what is left may grow before all is looked at. */
const PIXELS_LOOK = 32 * 2 ** 20;
const PIXELS_GROWTH = 128 * 2 ** 20;

/** Pixels alive or not yet collected at the last look, those made since, and the least that was seen since all was looked at. */
let pixelsSeen = 0;
let pixelsSince = 0;
let pixelsLeast = 0;

/** A finalizer would keep its buffer alive until the whole heap is collected, so these are counted by the process's own figure. */
function accountPixels(buffer: ArrayBufferLike): void {
  const { byteLength } = buffer;
  if (pixelsSince + byteLength > PIXELS_LOOK || heldBytes() + byteLength > limit) lookAtPixels();
  if (heldBytes() + byteLength > limit) {
    collectGarbage();
    throw new EdgeError('EDGE_MEMORY_LIMIT', `${megabytes(heldBytes())} alive, ${megabytes(limit)} allowed`, {
      mend: 'Some node holds messages with pictures: a delay, a join, a queue or a context',
    });
  }
  counted.add(buffer);
  pixelsSince += byteLength;
}

function lookAtPixels(): void {
  collector()({ type: 'minor', execution: 'sync' });
  pixelsSince = 0;
  pixelsSeen = Math.max(0, process.memoryUsage().arrayBuffers - held);
  pixelsLeast = Math.min(pixelsLeast, pixelsSeen);
  if (pixelsSeen <= Math.min(pixelsLeast + PIXELS_GROWTH, limit * COLLECT_AT)) return;
  pixelsLeast = pixelsSeen;
  collectGarbage();
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}

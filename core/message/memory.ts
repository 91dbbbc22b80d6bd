import { totalmem } from 'node:os';
import { EdgeError } from '../errors';

/**
 * How many bytes of pictures and tensors are alive: what was made less what the garbage collector has taken back. Nodes that
 * hold messages (delay, join, a context) hold their pictures too, so the total is capped: better one refused frame with a
 * code than an operating system that kills Node-RED.
 */
let held = 0;
let limit = Math.min(1024 * 2 ** 20, Math.floor(totalmem() / 4));

const taken = new FinalizationRegistry<number>((bytes) => {
  held -= bytes;
});

/** Count `bytes` as alive for as long as `holder` is. @throws EDGE_MEMORY_LIMIT when the cap would be passed. */
export function account(holder: object, bytes: number): void {
  if (held + bytes > limit) {
    throw new EdgeError('EDGE_MEMORY_LIMIT', `${megabytes(held)} alive, ${megabytes(limit)} allowed`, {
      mend: 'Some node holds messages with pictures: a delay, a join, a queue or a context',
    });
  }
  held += bytes;
  taken.register(holder, bytes);
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

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}

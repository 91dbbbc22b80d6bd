import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { workerData } from 'node:worker_threads';
import { LIFELINE } from './pipe';

/**
 * The thread that watches over the process of a model. The model's own thread may be inside the engine for ever, and nobody but the
 * system can end it there: so this ends the whole process when its owner is gone, and when it holds more memory than it may.
 */

/** Milliseconds between two looks at the memory: a model fills some 100 MB in that time. */
const LOOK_MS = 100;

const { memoryBytes } = workerData as { memoryBytes: number };

// Nobody ever writes on the lifeline; it closes when its owner ends, however it ends.
const owner = new Socket({ fd: LIFELINE, readable: true, writable: false });
owner.on('error', () => {});
owner.on('close', end);
owner.resume();

setInterval(() => {
  const held = process.memoryUsage.rss();
  if (held <= memoryBytes) return;
  try {
    writeSync(LIFELINE, JSON.stringify({ held }));
  } finally {
    end();
  }
}, LOOK_MS);

function end(): void {
  process.kill(process.pid, 'SIGKILL');
}

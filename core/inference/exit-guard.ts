import { CONTROL } from './wire';

/** Most milliseconds for which the end of the process is put off. A run that takes longer is taken for hung. */
const PATIENCE_MS = 10_000;

const controls = new Set<Int32Array>();
let listening = false;

/**
 * Hold `process.exit()` back until the worker of this control array is out of the engine: a thread that is ended inside a native
 * call aborts the whole process, and the last words of Node-RED would be a core dump. Returns the way to end the watch.
 */
export function guardExit(control: Int32Array): () => void {
  if (!listening) process.on('exit', waitForWorkers);
  listening = true;
  controls.add(control);
  return () => controls.delete(control);
}

function waitForWorkers(): void {
  const deadline = performance.now() + PATIENCE_MS;
  for (const control of controls) Atomics.store(control, CONTROL.EXITING, 1);
  for (const control of controls) {
    while (Atomics.load(control, CONTROL.BUSY) === 1) {
      const rest = deadline - performance.now();
      if (rest <= 0) break;
      Atomics.wait(control, CONTROL.BUSY, 1, rest);
    }
  }
}

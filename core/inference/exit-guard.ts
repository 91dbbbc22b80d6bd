import { CONTROL } from './wire';

/** Most milliseconds for which the end of the process is put off. A run that takes longer is taken for hung. */
const PATIENCE_MS = 10_000;

const controls = new Set<Int32Array>();
/** Of threads that were given up inside the engine: nobody waits for them. */
const hung = new Set<Int32Array>();
let listening = false;

/**
 * Hold `process.exit()` back until the worker of this control array is out of the engine: a thread that is ended inside a native
 * call aborts the whole process, and the last words of Node-RED would be a core dump. `end` ends the watch when the thread is gone,
 * `giveUp` says that it will not come out.
 */
export function guardExit(control: Int32Array): { end(): void; giveUp(): void } {
  if (!listening) process.on('exit', waitForWorkers);
  listening = true;
  controls.add(control);
  return {
    end: () => {
      controls.delete(control);
      hung.delete(control);
    },
    giveUp: () => {
      controls.delete(control);
      hung.add(control);
    },
  };
}

function waitForWorkers(): void {
  const deadline = performance.now() + PATIENCE_MS;
  for (const control of [...controls, ...hung]) Atomics.store(control, CONTROL.EXITING, 1);
  for (const control of controls) {
    while (isBusy(control)) {
      const rest = deadline - performance.now();
      if (rest <= 0) break;
      Atomics.wait(control, CONTROL.BUSY, 1, rest);
    }
  }
  // Whoever is inside now will not come out. The process ends all the same, without an abort, its dump, and the wait for it.
  if ([...controls, ...hung].some(isBusy)) process.kill(process.pid, 'SIGKILL');
}

function isBusy(control: Int32Array): boolean {
  return Atomics.load(control, CONTROL.BUSY) === 1;
}

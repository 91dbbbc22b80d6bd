import type { EdgeError } from '../../errors';
import type { TensorInfo, TensorValue } from '../../message/tensor';
import { type Limits, OPEN_MS } from '../limits';
import type { FromWorker } from '../wire';
import { timedOut } from './death';

export type Ready = FromWorker & { kind: 'ready' };
export type Settled = FromWorker & { kind: 'done' | 'failed' };

/** One life of an engine outside of Node-RED's thread, with one opened model: a thread or a process. */
export interface EngineLife {
  /** Of a process. */
  readonly pid?: number | undefined;
  /** Resolves when the model is open and not yet measured; never, where it cannot be opened. */
  readonly opened: Promise<void>;
  /** @throws what the backend's `open` throws, and the error of the life's end. */
  readonly ready: Promise<Ready>;
  /** Resolves when it is over, with the reason unless it was asked to stop. Never rejects. */
  readonly exited: Promise<EdgeError | undefined>;
  /** Called with what became of the runs, in the order in which they were sent. */
  onSettled: (message: Settled) => void;
  /**
   * Hand over the values of the next run, one per input; at most SLOTS runs are on their way. A promise where that takes more than
   * one turn of the event loop: nothing else is sent before it resolves.
   */
  send(inputs: readonly TensorInfo[], values: readonly TensorValue[]): Promise<void> | undefined;
  /** An idle life does not keep a finished program alive, a busy one does. */
  keepAlive(busy: boolean): void;
  /** Ask it to end after what it was sent before, and wait for that, not for ever. */
  stop(): Promise<void>;
  /** Have done with it now: a process is killed; a thread inside the engine cannot be, and is left behind. */
  abandon(error: EdgeError): void;
}

/** What a life says when its model is ready; one that does not get there in time is abandoned. @throws as `ready` */
export async function readyInTime(life: EngineLife, limits: Limits): Promise<Ready> {
  let over = false;
  let timer = setTimeout(() => life.abandon(timedOut('opening it', OPEN_MS)), OPEN_MS);
  void life.opened.then(() => {
    if (over) return;
    clearTimeout(timer);
    // Measuring takes at least two runs.
    timer = setTimeout(() => life.abandon(timedOut('a first run', limits.runMs)), 2 * limits.runMs);
  });
  try {
    return await life.ready;
  } finally {
    over = true;
    clearTimeout(timer);
  }
}

import type { TensorInfo } from '../message/tensor';
import type { SessionOptions, Tensors } from './backend';
import type { Limits } from './limits';

export type Placement = 'worker' | 'main' | 'process';

/** What is known of an opened model. */
export interface SessionInfo {
  backend: string;
  engineVersion: string;
  placement: Placement;
  /** Milliseconds of one run as measured when the model was opened; absent where made-up inputs do not run. */
  medianMs?: number;
  /** Threads inside one run. */
  threads: number;
  /** Sentences for whoever looks after the model: what was measured and chosen. */
  notes: string[];
  /** Sentences for whoever looks after the flow: why the model is in a process of its own that nobody asked for. */
  warnings: string[];
  inputs: readonly TensorInfo[];
  outputs: readonly TensorInfo[];
}

export interface RunResult {
  /** The arrays are the caller's. */
  outputs: Tensors;
  /** Milliseconds from the call to the start of the run: waiting, and moving the inputs. */
  queueMs: number;
  /** Milliseconds inside the engine. */
  runMs: number;
}

/** On whose behalf a run is asked for, and what makes it pointless. */
export interface RunOrigin {
  owner?: object;
  signal?: AbortSignal | undefined;
}

/** A model opened in its place. One run at a time; further ones wait in order. */
export interface Session {
  readonly info: SessionInfo;
  /**
   * @param from.signal withdraws a run that waits, and discards the result of one that is on its way.
   * @throws EDGE_MODEL_INPUT_SHAPE, EDGE_MODEL_INPUT_TYPE, EDGE_INPUT_NOT_FINITE, EDGE_MODEL_OUTPUT_NOT_FINITE, EDGE_QUEUE_FULL,
   * EDGE_RUNTIME_FAILED, EDGE_WORKER_EXITED, EDGE_MODEL_CRASHED, EDGE_MODEL_TIMEOUT, EDGE_MODEL_MEMORY, EDGE_SESSION_CLOSED, or the signal's reason.
   */
  run(feeds: Tensors, from?: RunOrigin): Promise<RunResult>;
  /** Refuses the runs of this owner that wait. */
  withdraw(owner: object): void;
  stats(): SessionStats;
  /** Refuses the runs that wait, lets the one on its way end, and gives the model's memory back. */
  close(): Promise<void>;
}

export interface SessionStats {
  waiting: number;
  running: number;
  /** Runs that gave a result, and that did not, since the model was opened. */
  done: number;
  failed: number;
  /** How often its thread or process ended unexpectedly and was begun anew. */
  restarts: number;
  /** Of the process that the model has for itself. */
  pid?: number;
}

/** What opens a model in a place. */
export interface OpenSpec {
  path: string;
  sha256: string;
  backend: string;
  options: SessionOptions;
  /** What was chosen of them. */
  limits: Partial<Limits>;
}

/** Most runs that may wait in one session; nodes have their own, shorter queues before it. */
export const MOST_WAITING = 1024;

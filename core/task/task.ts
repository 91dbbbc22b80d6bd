import type { ExecutionProvider } from '../inference/backend';
import type { SessionInfo } from '../inference/host';
import type { Frame } from '../message/frame';
import type { Result } from '../message/results';
import type { Manifest } from '../model/manifest';

export const BACKEND_CHOICES = ['auto', 'onnxruntime-node', 'onnxruntime-web'] as const;
export type BackendChoice = (typeof BACKEND_CHOICES)[number];

/** What a node or a flow sets beside the model. Everything is optional: the manifest and the machine decide. */
export interface TaskOptions {
  /** Where the session runs; 'auto' measures. */
  placement?: 'auto' | 'worker' | 'main' | 'process';
  /** Most milliseconds of one run; by default 30 s, or 20 times what was measured. */
  runTimeoutMs?: number;
  /** Most bytes that a model's own process may hold; by default half of what this machine or container has. */
  memoryLimit?: number;
  /** Try a model anew that ended badly on this device before. */
  retry?: boolean;
  /** Threads inside one run. */
  threads?: number;
  /** The engine; 'auto' takes the native one, and the one in WebAssembly where there is no native one. */
  backend?: BackendChoice;
  /** What computes; 'auto' is the processor. One that is not there is replaced by it, with a warning that says why. */
  executionProvider?: 'auto' | ExecutionProvider;
  /** 0 to 1; the manifest's or the family's by default. */
  scoreThreshold?: number;
  /** 0 to 1. */
  iouThreshold?: number;
  /** Most detections, or most classes of a classifier. */
  maxDetections?: number;
  /** Report these labels only; all when empty or absent. */
  labels?: readonly string[];
}

export interface TaskInfo {
  manifest: Manifest;
  session: SessionInfo;
  /** What a user should know of this model: missing labels and the like. Sentences. */
  warnings: readonly string[];
}

/** Milliseconds: making the input, waiting for the session, the run itself, from outputs to the result. */
export interface TaskTimings {
  prepare: number;
  queue: number;
  run: number;
  decode: number;
}

export interface TaskOutcome {
  result: Result;
  /** The picture that the result is about, for preview and events; absent where the input was no picture. */
  frame?: Frame;
  timings: TaskTimings;
}

/** A model from end to end, by its manifest: prepare, run, head. */
export interface Task {
  readonly info: TaskInfo;
  /**
   * How many runs may usefully be under way: the next picture is prepared while the model works on this one. Results come in
   * the order of the calls.
   */
  readonly concurrency: number;
  /**
   * @param payload a frame, a picture in any form that core/media reads, or numbers for a model of tensors.
   * @throws EDGE_IMAGE_*, EDGE_INPUT_*, EDGE_FRAME_GONE, EDGE_MODEL_*, EDGE_RUNTIME_FAILED, EDGE_SESSION_CLOSED
   */
  run(payload: unknown, signal?: AbortSignal): Promise<TaskOutcome>;
  close(): Promise<void>;
}

import type { TensorInfo, TensorValue } from '../message/tensor';

export type Tensors = Record<string, TensorValue>;

/** How a session is made. Everything here is part of the session's identity: two leases with equal options share one session. */
export interface SessionOptions {
  /** Threads inside one run; by default min(4, cores - 1), and every core up to 4 for a slow model that gains by it. */
  threads?: number;
  executionProvider?: 'cpu';
  /** Sum int8 products exactly where the CPU would saturate (x64 without VNNI). Costs time; not needed by models quantized for it. */
  preciseInt8?: boolean;
}

/** One opened model. `run` is called once at a time; its result arrays are the caller's. */
export interface BackendSession {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  run(feeds: Tensors): Promise<Tensors>;
  release(): Promise<void>;
}

/** An inference engine. One file in backends/ each; the worker loads it by `id`, so that a missing one costs only its users. */
export interface Backend {
  readonly id: string;
  /** Version of the engine that would be loaded, without loading it: what was found out with another one counts no more. */
  installedVersion?(): string | undefined;
  /** Version of the engine. @throws EDGE_RUNTIME_MISSING with the command that installs it. */
  load(): Promise<{ version: string }>;
  /** @throws EDGE_MODEL_INVALID, EDGE_MODEL_UNSUPPORTED, EDGE_MODEL_EXTERNAL_DATA */
  open(modelPath: string, options: SessionOptions): Promise<BackendSession>;
}

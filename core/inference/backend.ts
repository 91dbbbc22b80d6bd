import type { TensorInfo, TensorValue } from '../message/tensor';

export type Tensors = Record<string, TensorValue>;

/** How a session is made. Everything here is part of the session's identity: two leases with equal options share one session. */
export interface SessionOptions {
  /** Threads inside one run; by default min(4, cores - 1), and every core up to 4 for a slow model that gains by it. */
  threads?: number;
  /** What computes; the processor by default. One that cannot serve the model is replaced by it, and a note of the session says why. */
  executionProvider?: ExecutionProvider;
  /** Sum int8 products exactly where the CPU would saturate (x64 without VNNI). Costs time; not needed by models quantized for it. */
  preciseInt8?: boolean;
  /** Where the graph as this machine's engine optimised it is kept, so that opening it again costs less. Not part of the identity. */
  optimised?: OptimisedOptions;
}

/** ONNX Runtime's names of what computes. */
export const EXECUTION_PROVIDERS = ['cpu', 'cuda', 'tensorrt', 'dml', 'coreml', 'webgpu'] as const;
export type ExecutionProvider = (typeof EXECUTION_PROVIDERS)[number];

export interface OptimisedOptions {
  folder: string;
  /** Stands for the content of the file that is opened, and begins the names of what is kept of it. */
  name: string;
}

/** One opened model. `run` is called once at a time; its result arrays are the caller's. */
export interface BackendSession {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  /** Sentences on what was chosen when it was opened. */
  readonly notes?: readonly string[];
  /** True when a failed run left the engine in a state in which nothing can run: the thread is to end. */
  readonly broken?: boolean;
  run(feeds: Tensors): Promise<Tensors>;
  release(): Promise<void>;
}

/** An inference engine. One file in backends/ each; the worker loads it by `id`, so that a missing one costs only its users. */
export interface Backend {
  readonly id: string;
  /** True for an engine that is slow to start or blocks for long: never on Node-RED's own thread. */
  readonly ownThreadOnly?: boolean;
  /** Version of the engine that would be loaded, without loading it: what was found out with another one counts no more. */
  installedVersion?(): string | undefined;
  /** Version of the engine. @throws EDGE_RUNTIME_MISSING with the command that installs it. */
  load(): Promise<{ version: string }>;
  /** @throws EDGE_MODEL_INVALID, EDGE_MODEL_UNSUPPORTED, EDGE_MODEL_EXTERNAL_DATA */
  open(modelPath: string, options: SessionOptions): Promise<BackendSession>;
}

import { EdgeError } from '../errors';
import { type InferenceHost, type Lease, sharedHost } from '../inference/host';
import { makeTensor, type Tensor } from '../message/tensor';
import type { Manifest, ResolvedModel } from '../model/manifest';
import { acquire } from './acquire';
import type { Task, TaskInfo, TaskOptions, TaskOutcome } from './task';
import { toTensors } from './to-tensors';

/** Open a model that is run on tensors as they are: numbers in, tensors out. @throws EDGE_MODEL_*, EDGE_RUNTIME_* */
export async function openTensorTask(
  model: ResolvedModel,
  options: TaskOptions,
  host: InferenceHost = sharedHost(),
): Promise<Task> {
  const { manifest, path, sha256 } = model;
  const { lease, warnings } = await acquire(host, { path, sha256 }, model, options);
  return new TensorTask(manifest, lease, warnings);
}

class TensorTask implements Task {
  readonly concurrency = 2;
  readonly info: TaskInfo;
  private closed = false;

  constructor(
    private readonly manifest: Manifest,
    private readonly lease: Lease,
    warnings: readonly string[],
  ) {
    this.info = { manifest, session: lease.info, warnings: [...lease.info.warnings, ...warnings] };
  }

  async run(payload: unknown, signal?: AbortSignal): Promise<TaskOutcome> {
    if (this.closed) throw new EdgeError('EDGE_SESSION_CLOSED', this.manifest.id);
    const started = performance.now();
    const feeds = toTensors(payload, this.lease.info.inputs);
    const prepare = performance.now() - started;
    const { outputs, queueMs, runMs } = await this.lease.run(feeds, signal);
    const decoding = performance.now();
    const tensors: Record<string, Tensor> = {};
    for (const [name, value] of Object.entries(outputs)) {
      Object.defineProperty(tensors, name, { value: makeTensor(value), enumerable: true, configurable: true, writable: true });
    }
    return {
      result: { schema: 'edgeloom/tensors/1', model: `${this.manifest.id}@${this.manifest.version}`, tensors },
      timings: { prepare, queue: queueMs, run: runMs, decode: performance.now() - decoding },
    };
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.lease.release();
  }
}

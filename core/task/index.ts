import { EdgeError } from '../errors';
import type { InferenceHost } from '../inference/host';
import { DEFAULT_MODEL } from '../model/catalogue';
import type { Recogniser } from '../model/infer';
import type { ResolvedModel } from '../model/manifest';
import * as models from '../model/resolve';
import { headOf } from '../vision/heads';
import { openImageTask } from './image-task';
import type { Task, TaskOptions } from './task';
import { openTensorTask } from './tensor-task';

export { BoundedQueue, type QueueStats } from '../inference/queue';
export { catalogue, DEFAULT_MODEL } from '../model/catalogue';
export type { Manifest, PartialManifest, ResolvedModel } from '../model/manifest';
export type { Inspection, ManifestOverrides } from '../model/resolve';
export { ModelStore } from '../model/store';
export type { Task, TaskInfo, TaskOptions, TaskOutcome, TaskTimings } from './task';

/**
 * A resolved model, ready to run: its session is shared with every other task on the same model and options, and let go by
 * `close()`.
 * @throws EDGE_MODEL_*, EDGE_RUNTIME_*, EDGE_STORE_WRITE
 */
export async function openTask(model: ResolvedModel, options: TaskOptions = {}, host?: InferenceHost): Promise<Task> {
  const { task, input } = model.manifest;
  if (task === 'tensors') return openTensorTask(model, options, host);
  if (input.kind === 'image') return openImageTask(model, input, options, host);
  throw new EdgeError('EDGE_MODEL_MANIFEST', `${model.manifest.id}: a ${task} task needs an image input`);
}

/** core/model's resolveModel with every head of this palette to recognise a model by; no source means the packaged detector. */
export function resolveModel(source: string, options: Omit<models.ResolveOptions, 'recognise'>): Promise<ResolvedModel> {
  return models.resolveModel(source.trim() || `catalogue:${DEFAULT_MODEL}`, { ...options, recognise });
}

/** core/model's inspectModel with every head of this palette to recognise a model by. */
export function inspectModel(source: string, options: Omit<models.ResolveOptions, 'recognise'>): Promise<models.Inspection> {
  return models.inspectModel(source, { ...options, recognise });
}

const recognise: Recogniser = (inputs, outputs) => {
  const head = headOf(inputs, outputs);
  return head && { head: head.id, input: head.input, ...(head.labels ? { labels: head.labels } : {}) };
};

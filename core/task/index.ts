import { EdgeError } from '../errors';
import type { InferenceHost } from '../inference/host';
import type { TensorInfo } from '../message/tensor';
import { DEFAULT_MODEL } from '../model/catalogue';
import type { HeadTable, Recognised } from '../model/infer';
import type { ResolvedModel } from '../model/manifest';
import * as models from '../model/resolve';
import { HEADS, headsFor } from '../vision/heads';
import type { ExporterFacts, Head } from '../vision/heads/head';
import { openImageTask } from './image-task';
import type { Task, TaskOptions } from './task';
import { openTensorTask } from './tensor-task';

export { BoundedQueue, type QueueOptions, type QueueStats } from '../inference/queue';
export { catalogue, DEFAULT_MODEL } from '../model/catalogue';
export type { Manifest, PartialManifest, ResolvedModel } from '../model/manifest';
export type { Inspection, ManifestOverrides } from '../model/resolve';
export { ModelStore } from '../model/store';
export { BACKEND_CHOICES, type Task, type TaskInfo, type TaskOptions, type TaskOutcome, type TaskTimings } from './task';

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

type Options = Omit<models.ResolveOptions, 'heads'>;

/** core/model's resolveModel with every head of this palette to recognise a model by; no source means the packaged detector. */
export function resolveModel(source: string, options: Options): Promise<ResolvedModel> {
  return models.resolveModel(source.trim() || `catalogue:${DEFAULT_MODEL}`, { ...options, heads });
}

/** core/model's inspectModel with every head of this palette to recognise a model by. */
export function inspectModel(source: string, options: Options): Promise<models.Inspection> {
  return models.inspectModel(source, { ...options, heads });
}

const heads: HeadTable = {
  matching: (inputs, outputs, clues) => headsFor(inputs, outputs, clues).map((head) => recognised(head, outputs, clues.exporter)),
  named(id, outputs, exporter) {
    const head = HEADS.find((candidate) => candidate.id === id);
    return head && recognised(head, outputs, exporter);
  },
};

function recognised(head: Head, outputs: readonly TensorInfo[], exporter: ExporterFacts): Recognised {
  const { input = head.input, parameters } = head.inferred?.(exporter) ?? {};
  return {
    head: head.id,
    task: head.task,
    input,
    ...(head.labels ? { labels: head.labels } : {}),
    classes: head.classCount(outputs, { ...(parameters ? { parameters } : {}) }),
    ...(parameters ? { parameters } : {}),
  };
}

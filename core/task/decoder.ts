import type { Placement } from '../media/letterbox';
import type { Result } from '../message/results';
import type { HeadSettings, Manifest } from '../model/manifest';
import type { ClassMapOptions } from '../model/onnx/fold-class-map';
import type { Outputs } from '../vision/heads/head';
import type { TaskOptions } from './task';

/** The last step of a task on pictures: a model's outputs as a result in pixels of the source. One for every kind of task. */
export interface Decoder {
  /** Fold the choice of classes into the graph before it is opened. */
  readonly classMap?: ClassMapOptions;
  /**
   * Called once, with what the model gives for a grey picture, before anything is decoded.
   * @returns sentences that a user should read.
   * @throws EDGE_MODEL_MANIFEST, EDGE_MODEL_OUTPUT_SHAPE
   */
  settle(outputs: Outputs): string[];
  /** @throws EDGE_MODEL_OUTPUT_SHAPE, EDGE_MODEL_OUTPUT_NOT_FINITE */
  decode(outputs: Outputs, placement: Placement): Result;
}

/** What every decoder is made of. */
export interface DecoderSettings {
  /** "coco-ssd-mobilenet-v2-int8@1" */
  model: string;
  labels: readonly string[];
  /** The manifest's, with what the user set. */
  settings: HeadSettings;
  /** Report these labels only; all when absent. */
  only: ReadonlySet<string> | undefined;
}

export function decoderSettings(manifest: Manifest, options: TaskOptions): DecoderSettings {
  const settings = { ...manifest.output };
  for (const name of ['scoreThreshold', 'iouThreshold', 'maxDetections'] as const) {
    if (options[name] !== undefined) settings[name] = options[name];
  }
  const only = options.labels && options.labels.length > 0 ? new Set(options.labels) : undefined;
  return { model: `${manifest.id}@${manifest.version}`, labels: manifest.labels, settings, only };
}

export function sourceSize({ sourceWidth, sourceHeight }: Placement): { width: number; height: number } {
  return { width: sourceWidth, height: sourceHeight };
}

/** Labels that are missing, too many, too few, or asked for and not there. @param classes null where nobody knows how many. */
export function labelWarnings({ labels, only }: DecoderSettings, classes: number | null): string[] {
  const warnings: string[] = [];
  if (labels.length === 0) {
    const which = classes === null ? 'its classes' : `its ${classes} classes`;
    const names = `The model names none of ${which}; they are called "class 0" and so on`;
    warnings.push(classes === 1 ? 'The model does not name its class; it is called "class 0"' : names);
  } else if (classes !== null && labels.length !== classes) {
    warnings.push(`The model has ${classes} classes and its manifest ${labels.length} labels`);
  }
  const unknown = [...(only ?? [])].filter((label) => labels.length > 0 && !labels.includes(label));
  if (unknown.length > 0) warnings.push(`The model knows no ${unknown.map((label) => `"${label}"`).join(', ')}`);
  return warnings;
}

export function round(value: number, steps = 100): number {
  return Math.round(value * steps) / steps;
}

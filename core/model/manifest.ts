import type { GoldenSample } from './golden';

/**
 * What a model says of itself: the file `model.json` beside it, or an entry of the catalogue, or what was inferred.
 * Everything a node needs to run it without a Function node.
 */
export const TASK_KINDS = ['detection', 'pose', 'classification', 'segmentation', 'embedding', 'tensors'] as const;
export type TaskKind = (typeof TASK_KINDS)[number];

export interface ImageInput {
  kind: 'image';
  /** The graph input's name; the only input when absent. */
  name?: string;
  width: number;
  height: number;
  /** NCHW or NHWC, as the graph has it. */
  layout: 'NCHW' | 'NHWC';
  colours: 'rgb' | 'bgr' | 'grey';
  /** value = (pixel - mean) * scale per channel in the graph's colour order, pixel 0 to 255. */
  mean: readonly number[];
  scale: readonly number[];
  fit: 'letterbox' | 'stretch' | 'cover';
  anchor?: 'centre' | 'start';
  /** Grey level of the padding, 0 to 255. */
  padding?: number;
  /** True when the graph itself takes uint8 NHWC pixels in 0 to 255 and normalises them. */
  normalisedInGraph?: boolean;
}

/** Tensors as they are: for models whose preparation is done elsewhere. */
export interface RawInput {
  kind: 'raw';
}

export interface HeadSettings {
  /** A name of the head table, core/vision/heads/index.ts. */
  head: string;
  /** Score below which a detection is not reported, 0 to 1. */
  scoreThreshold?: number;
  /** Intersection over union above which the weaker of two boxes of one class is suppressed. */
  iouThreshold?: number;
  maxDetections?: number;
  /** What only this head needs: strides, anchors, output names. */
  parameters?: Record<string, unknown>;
}

export interface Licence {
  /** SPDX identifier of the weights' licence. */
  id: string;
  /** False where the licence forbids commercial use or cannot be met by a closed product. */
  commercialUse: boolean;
  attribution?: string;
}

export interface Manifest {
  id: string;
  version: string;
  title: string;
  task: TaskKind;
  licence: Licence;
  /** Where the file can be had: a `ModelSource` string. */
  source: string;
  /** Of the file as it is run, lower-case hex. */
  sha256?: string;
  /** Bytes. */
  size?: number;
  input: ImageInput | RawInput;
  output: HeadSettings;
  labels: readonly string[];
  quantization: 'none' | 'int8' | 'float16';
  /** Figures measured by `bench`, with the words that say on what. */
  measured?: { ap?: number; ap50?: number; note?: string };
  description?: string;
  /** What the model is tried on when it is opened, and before it takes the place of another. */
  golden?: readonly GoldenSample[];
}

/** What is known of a model so far: its `model.json`, what a user chose in a dialog, or what its file told. */
export interface PartialManifest extends Partial<Omit<Manifest, 'input' | 'output'>> {
  input?: Partial<ImageInput> | RawInput;
  output?: Partial<HeadSettings>;
}

/** A model on this machine's disk, ready to be opened. */
export interface ResolvedModel {
  manifest: Manifest;
  path: string;
  sha256: string;
  /** Where files made from this model may be kept: the store's folder. */
  storeFolder: string;
  /** Where its golden samples lie: the model's own folder; absent for a model that was fetched as one file. */
  folder?: string;
}

import type { Detection } from '../../message/results';
import type { TensorInfo } from '../../message/tensor';
import type { ExporterFacts } from '../../model/exporter';
import type { HeadSettings, ImageInput, TaskKind } from '../../model/manifest';
import type { Outputs } from './outputs';

export type { ExporterFacts, HeadSettings, Outputs };

/** What a head is told beside the outputs. Sizes are pixels of the model input. */
export interface HeadContext {
  input: Pick<ImageInput, 'width' | 'height'>;
  /** By class index. An empty label marks a class that is never reported: background, ids that a data set left unused. */
  labels: readonly string[];
  settings: HeadSettings;
  /** Report these labels only; all when absent. */
  only?: ReadonlySet<string>;
}

export type FamilyInput = Partial<Omit<ImageInput, 'kind' | 'width' | 'height'>>;

/** A family of models by the layout of its outputs. One file per family; the table in index.ts is the only list. */
export interface Family {
  /** The name in manifests, "yolox". */
  readonly id: string;
  /** The outputs in a few words, for the page of models: "[1, 4 + classes, anchors]". */
  readonly layout: string;
  /** Who published the layout, and where. */
  readonly source: string;
  /** How the family's published models are fed, for what a manifest leaves out. Null where exports differ: then it is asked for. */
  readonly input: FamilyInput | null;
  /** Labels of the family's published models, where they are always the same ("face"). */
  readonly labels?: readonly string[];
  /**
   * True when these outputs look like this family: used to infer a missing manifest. Where two families fit, what the exporter
   * wrote and the number of labels decide, and else the user.
   */
  matches(inputs: readonly TensorInfo[], outputs: readonly TensorInfo[], exporter: ExporterFacts): boolean;
  /** How many classes outputs of this family tell apart, for comparing with the labels; null where the shapes do not tell. */
  classCount(outputs: readonly TensorInfo[], settings?: Partial<HeadSettings>): number | null;
  /** What the exporter's words say beyond the signature. */
  inferred?(exporter: ExporterFacts): { input?: FamilyInput; parameters?: Record<string, unknown> };
}

/**
 * Turns a detector's raw outputs into boxes in pixels of the **model input**, best first, after non-maximum suppression and
 * before the mapping to the source picture.
 */
export interface DetectionHead extends Family {
  readonly task: 'detection' | 'pose';
  /** How many keypoints each detection has, for families that give them. */
  keypointCount?(outputs: readonly TensorInfo[], settings: HeadSettings): number;
  /** @throws EDGE_MODEL_OUTPUT_SHAPE, EDGE_MODEL_OUTPUT_NOT_FINITE */
  decode(outputs: Outputs, context: HeadContext): Detection[];
}

/** A family that core/task decodes: its result is not a list of boxes. */
export interface OtherHead extends Family {
  readonly task: Exclude<TaskKind, 'detection' | 'pose' | 'tensors'>;
}

export type Head = DetectionHead | OtherHead;

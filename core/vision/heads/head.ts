import type { Detection } from '../../message/results';
import type { TensorInfo } from '../../message/tensor';
import type { HeadSettings, ImageInput } from '../../model/manifest';
import type { Outputs } from './outputs';

export type { Outputs };

/** What a head is told beside the outputs. Sizes are pixels of the model input. */
export interface HeadContext {
  input: Pick<ImageInput, 'width' | 'height'>;
  /** By class index. An empty label marks a class that is never reported: background, ids that a data set left unused. */
  labels: readonly string[];
  settings: HeadSettings;
  /** Report these labels only; all when absent. */
  only?: ReadonlySet<string>;
}

/**
 * Turns a detector's raw outputs into boxes in pixels of the **model input**, best first, after non-maximum suppression and
 * before the mapping to the source picture. One file per family; the table in index.ts is the only list.
 */
export interface DetectionHead {
  /** The name in manifests, "yolox". */
  readonly id: string;
  /** Who published the layout, and where. */
  readonly source: string;
  /** How the family's published models are fed, for what a manifest leaves out. Null where exports differ: then it is asked for. */
  readonly input: Partial<Omit<ImageInput, 'kind' | 'width' | 'height'>> | null;
  /** Labels of the family's published models, where they are always the same ("face"). */
  readonly labels?: readonly string[];
  /** True when these outputs look like this family: used to infer a missing manifest, never to guess between two. */
  matches(inputs: readonly TensorInfo[], outputs: readonly TensorInfo[]): boolean;
  /** How many classes outputs of this family tell apart, for comparing with the labels. */
  classCount(outputs: Outputs): number;
  /** @throws EDGE_MODEL_OUTPUT_SHAPE, EDGE_MODEL_OUTPUT_NOT_FINITE */
  decode(outputs: Outputs, context: HeadContext): Detection[];
}

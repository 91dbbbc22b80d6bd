import type { Detection } from '../../message/results';
import type { TensorInfo, TensorValue } from '../../message/tensor';
import type { HeadSettings, ImageInput } from '../../model/manifest';

/** What a head is told beside the outputs. Sizes are pixels of the model input. */
export interface HeadContext {
  input: Pick<ImageInput, 'width' | 'height'>;
  labels: readonly string[];
  settings: HeadSettings;
}

/**
 * Turns a detector's raw outputs into boxes in pixels of the **model input**, before the mapping to the source picture.
 * One file per family; the table in index.ts is the only list.
 */
export interface DetectionHead {
  /** The name in manifests, "yolox". */
  readonly id: string;
  /** Who published the layout, and where. */
  readonly source: string;
  /** True when these outputs look like this family: used to infer a missing manifest, never to guess between two. */
  matches(inputs: readonly TensorInfo[], outputs: readonly TensorInfo[]): boolean;
  /** @throws EDGE_MODEL_OUTPUT_SHAPE */
  decode(outputs: Readonly<Record<string, TensorValue>>, context: HeadContext): Detection[];
}

/** Pixels of the source picture, from its upper left corner, after EXIF orientation. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
}

/** A landmark; right and left are the person's own. */
export interface Keypoint extends Point {
  /** "nose"; absent where the model's points have no names. */
  name?: string;
  /** 0 to 1, how sure the model is of this point; absent where it does not say. */
  score?: number;
}

export interface Detection {
  label: string;
  /** 0 to 1. */
  score: number;
  box: Box;
  /** Landmarks, for heads that give them: eyes, nose and mouth of a face, joints of a body. */
  keypoints?: Keypoint[];
  trackId?: number;
  zones?: string[];
}

/** What `edge-infer` sends for a detector. JSON Schema: core/message/schemas/detections-1.json. */
export interface DetectionResult {
  schema: 'edgeloom/detections/1';
  /** Model id and version, "coco-ssd-mobilenet-v2-int8@1". */
  model: string;
  image: { width: number; height: number };
  detections: Detection[];
}

/**
 * What `edge-infer` sends for a pose estimator: detections whose keypoints are joints, so that whatever follows detections
 * follows poses too. JSON Schema: core/message/schemas/poses-1.json.
 */
export interface PoseResult {
  schema: 'edgeloom/poses/1';
  model: string;
  image: { width: number; height: number };
  detections: Detection[];
  /** The limbs, as pairs of indices into every detection's `keypoints`; empty where the model's points are not known. */
  skeleton: readonly (readonly [number, number])[];
}

export interface ClassScore {
  label: string;
  score: number;
}

/** What `edge-infer` sends for a classifier, best first. JSON Schema: core/message/schemas/classification-1.json. */
export interface ClassificationResult {
  schema: 'edgeloom/classification/1';
  model: string;
  image?: { width: number; height: number };
  classes: ClassScore[];
}

/** A class that a part of the picture shows. */
export interface ClassArea {
  /** Its number in the mask. */
  class: number;
  label: string;
  /** Its part of the picture's area, 0 to 1. */
  share: number;
}

/**
 * One class number per cell of a grid laid over the whole picture, row by row from the upper left, as runs: class, length,
 * class, length and so on. Lengths add up to width x height; a run may go on in the next row.
 */
export interface ClassMask {
  width: number;
  height: number;
  encoding: 'runs';
  runs: number[];
}

/** What `edge-infer` sends for a semantic segmentation. JSON Schema: core/message/schemas/segmentation-1.json. */
export interface SegmentationResult {
  schema: 'edgeloom/segmentation/1';
  model: string;
  image: { width: number; height: number };
  /** The classes that are there, largest first; those with an empty label (background) are left out. */
  classes: ClassArea[];
  /** Absent where the model node asks for none. */
  mask?: ClassMask;
}

/** What `edge-infer` sends for an embedding. JSON Schema: core/message/schemas/embedding-1.json. */
export interface EmbeddingResult {
  schema: 'edgeloom/embedding/1';
  model: string;
  image: { width: number; height: number };
  /** Of length 1 (L2), so that the scalar product of two is their cosine similarity. */
  vector: number[];
}

/** What `edge-infer` sends for a model without a head: tensors by output name, each behind a reference. */
export interface TensorsResult {
  schema: 'edgeloom/tensors/1';
  model: string;
  tensors: Record<string, import('./tensor').Tensor>;
}

export type Result = DetectionResult | PoseResult | ClassificationResult | SegmentationResult | EmbeddingResult | TensorsResult;

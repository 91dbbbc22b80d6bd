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

export interface Detection {
  label: string;
  /** 0 to 1. */
  score: number;
  box: Box;
  /** Landmarks, for heads that give them (the five points of a face: right eye, left eye, nose, right and left mouth corner). */
  keypoints?: Point[];
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

/** What `edge-infer` sends for a model without a head: tensors by output name, each behind a reference. */
export interface TensorsResult {
  schema: 'edgeloom/tensors/1';
  model: string;
  tensors: Record<string, import('./tensor').Tensor>;
}

export type Result = DetectionResult | ClassificationResult | TensorsResult;

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

/** A detection that a tracker follows. */
export interface TrackedDetection extends Detection {
  /** Counts up from 1 in each source; never given twice while the tracker lives. */
  trackId: number;
  /** False where the object was seen shortly before and not in this frame: its box is where it is expected. */
  seen: boolean;
  /** Seconds since the object was first seen. */
  age: number;
  /** Frames in which it was seen. */
  hits: number;
  /** Of the box's centre, pixels of the source picture per second. */
  velocity: { x: number; y: number };
  /** The velocity's amount, pixels per second. */
  speed: number;
  /** The same in diagonals of the picture per second, which no change of resolution alters. */
  relativeSpeed: number;
}

/** An object that was not seen for a while and is still looked for. */
export interface LostTrack {
  trackId: number;
  label: string;
  /** Where it is expected. */
  box: Box;
  /** Seconds since it was last seen. */
  lostFor: number;
}

/** An object that is followed no longer. */
export interface EndedTrack {
  trackId: number;
  label: string;
  /** Seconds from the first to the last time it was seen. */
  age: number;
  hits: number;
}

/** What `edge-track` sends. JSON Schema: core/message/schemas/tracks-1.json. */
export interface TracksResult {
  schema: 'edgeloom/tracks/1';
  model: string;
  image: { width: number; height: number };
  /** Seen in this frame or shortly before, as a detector gives them, so that whatever takes detections takes tracks. */
  detections: TrackedDetection[];
  lost: LostTrack[];
  ended: EndedTrack[];
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

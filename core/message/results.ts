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

/** One zone at one moment. Counts are since the node began, or since they were reset. */
export interface ZoneState {
  name: string;
  /** Objects in it. */
  present: number;
  /** The same by label. */
  labels: Record<string, number>;
  /** Those that a tracker follows, with the seconds they have been in it. */
  objects: { trackId: number; label: string; dwell: number }[];
  entered: number;
  left: number;
}

/** One line at one moment: `forwards` is from the left of the way from its first point to its second to the right. */
export interface LineState {
  name: string;
  forwards: number;
  backwards: number;
}

/** Something that happened at a zone or line in this frame. */
export type ZoneChange =
  | { kind: 'enter'; zone: string; trackId: number; label: string }
  | { kind: 'leave'; zone: string; trackId: number; label: string; dwell: number }
  | { kind: 'cross'; line: string; trackId: number; label: string; direction: 'forwards' | 'backwards' };

/** What `edge-zones` sends. JSON Schema: core/message/schemas/zones-1.json. */
export interface ZonesResult {
  schema: 'edgeloom/zones/1';
  model: string;
  image: { width: number; height: number };
  /** As they came, with the names of the zones they are in. */
  detections: Detection[];
  zones: ZoneState[];
  lines: LineState[];
  changes: ZoneChange[];
}

/** Something that happened, with a beginning and, when it is over, an end. Times are milliseconds since the epoch, UTC. */
export interface EventRecord {
  id: string;
  /** An object, all objects of a scene together, or something that another message said. */
  kind: 'object' | 'scene' | 'trigger';
  /** The object's label, or the trigger's name; "scene" for a scene. */
  name: string;
  startedAt: number;
  /** Absent while it goes on. */
  endedAt?: number;
  /** Seconds until it ended, or until now. */
  duration: number;
  /** Objects seen at once at most, by label. */
  labels: Record<string, number>;
  trackIds: number[];
  /** In the order in which they were entered. */
  zones: string[];
  /** True once it has lasted for the loitering time. */
  loitering: boolean;
  /** The object as it was seen best: large, sure, and not cut off. Absent where a trigger came and nothing was seen. */
  best?: { at: number; label: string; score: number; box: Box };
}

/** What `edge-event` sends. JSON Schema: core/message/schemas/event-1.json. */
export interface EventResult {
  schema: 'edgeloom/event/1';
  phase: 'start' | 'update' | 'end';
  reason: 'seen' | 'triggered' | 'zone' | 'loitering' | 'interval' | 'gone' | 'released' | 'longest' | 'closed';
  event: EventRecord;
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

/** How a tracker decides. Scores are the detector's, overlaps are intersection over union; both 0 to 1. */
export interface TrackerSettings {
  /** Detections from this score on are matched first. */
  highScore: number;
  /** Detections from this score to `highScore` are matched with what is left, and start nothing; weaker ones are ignored. */
  lowScore: number;
  /** A detection starts a track from this score on. */
  newScore: number;
  /** Least overlap, weighted by the score, between a track and a strong detection. */
  highOverlap: number;
  /** Least overlap between a track and a weak detection. */
  lowOverlap: number;
  /** Least overlap, weighted by the score, between a track that is not confirmed yet and a strong detection. */
  tentativeOverlap: number;
  /** Frames in a row in which an object must be seen before it counts. */
  confirmFrames: number;
  /**
   * Seconds for which weak detections alone hold an object: long enough to pass behind something, and what was taken for an
   * object once does not stay one for ever.
   */
  weakSeconds: number;
  /** Seconds for which an object that is not seen is still reported, where it is expected: detectors flicker, objects do not. */
  coastSeconds: number;
  /** Seconds for which an object that is not seen is remembered. */
  lostSeconds: number;
  /** Most objects followed at once, lost ones included; at most 300. */
  mostTracks: number;
  /** Most detections of a frame that are looked at: the best by score. At most 300, which bounds the time of a frame. */
  mostDetections: number;
}

/**
 * The scores and the second overlap are ByteTrack's. It asks for 0.2 and 0.3 in the other two; on half of PETS09-S2L1, at 10, 5 and
 * 3.3 frames a second, 0.1 loses fewer objects and swaps no more, since boxes move further between the frames of a small computer.
 */
export const TRACKER_DEFAULTS: Readonly<TrackerSettings> = {
  highScore: 0.5,
  lowScore: 0.1,
  newScore: 0.6,
  highOverlap: 0.1,
  lowOverlap: 0.5,
  tentativeOverlap: 0.1,
  confirmFrames: 2,
  weakSeconds: 2,
  coastSeconds: 0.2,
  lostSeconds: 2,
  mostTracks: 200,
  mostDetections: 200,
};

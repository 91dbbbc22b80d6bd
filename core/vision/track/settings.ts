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
  /** Seconds for which an object that is not seen is remembered. */
  lostSeconds: number;
  /** Most objects followed at once, lost ones included. */
  mostTracks: number;
  /** Most detections of a frame that are looked at: the best by score. Bounds the time of one frame. */
  mostDetections: number;
}

export const TRACKER_DEFAULTS: Readonly<TrackerSettings> = {
  highScore: 0.5,
  lowScore: 0.1,
  newScore: 0.6,
  highOverlap: 0.2,
  lowOverlap: 0.5,
  tentativeOverlap: 0.3,
  confirmFrames: 2,
  lostSeconds: 1,
  mostTracks: 200,
  mostDetections: 200,
};

import type { Box } from '../../core/message/results';
import { intersectionOverUnion } from '../../core/vision/box';
import type { TrackBox } from './mot';

export interface IouTrackerSettings {
  /** Detections below this score are not looked at. */
  lowScore: number;
  /** A track counts if one of its boxes has this score. */
  highScore: number;
  /** Least overlap of a box with the track's last one. */
  overlap: number;
  /** A track counts if it has this many boxes. */
  leastFrames: number;
}

/** The best of 480 settings by IDF1 on frames 1 to 200 of PETS09-S2L1, with either detector; the paper's own differ by detector. */
export const IOU_TRACKER_SETTINGS: IouTrackerSettings = { lowScore: 0.4, highScore: 0.8, overlap: 0.1, leastFrames: 5 };

/**
 * The rival of the bench: Bochinski, Eiselein and Sikora, "High-Speed Tracking-by-Detection Without Using Image Information",
 * AVSS 2017, algorithm 1. Each track takes the detection that overlaps its last box most, in the order of the tracks; one that
 * finds none ends. Tracks that are short or never sure are dropped when all is over, so it sees the future, which ours does not.
 *
 * @param frames detections by frame.
 */
export function iouTracker(
  frames: readonly (readonly { box: Box; score: number }[])[],
  settings: IouTrackerSettings = IOU_TRACKER_SETTINGS,
): TrackBox[] {
  const { lowScore, highScore, overlap, leastFrames } = settings;
  let active: { boxes: TrackBox[]; best: number }[] = [];
  const finished: typeof active = [];
  let next = 0;
  for (const [frame, detections] of frames.entries()) {
    const free = new Set(detections.filter(({ score }) => score >= lowScore));
    const going: typeof active = [];
    for (const track of active) {
      const last = track.boxes.at(-1)!.box;
      let best: { box: Box; score: number } | undefined;
      let most = overlap;
      for (const detection of free) {
        const shared = intersectionOverUnion(last, detection.box);
        if (shared < most) continue;
        most = shared;
        best = detection;
      }
      if (!best) {
        finished.push(track);
        continue;
      }
      free.delete(best);
      track.boxes.push({ frame, id: track.boxes[0]!.id, box: best.box });
      track.best = Math.max(track.best, best.score);
      going.push(track);
    }
    for (const { box, score } of free) going.push({ boxes: [{ frame, id: ++next, box }], best: score });
    active = going;
  }
  return [...finished, ...active]
    .filter(({ boxes, best }) => best >= highScore && boxes.length >= leastFrames)
    .flatMap(({ boxes }) => boxes);
}

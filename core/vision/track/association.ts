import type { Detection } from '../../message/results';
import { intersectionOverUnion } from '../box';
import { assign } from './assignment';
import type { Track } from './track';

export interface Association {
  pairs: [Track, Detection][];
  unmatchedTracks: Track[];
  unmatchedDetections: Detection[];
}

/**
 * The pairing of tracks and detections of one label with the greatest total overlap.
 *
 * @param weighted true: overlap counts times the detection's score, so that of two boxes over one object the surer one is taken.
 * @param least pairs below it are not made.
 */
export function associate(tracks: Track[], detections: Detection[], least: number, weighted: boolean): Association {
  if (tracks.length === 0 || detections.length === 0) {
    return { pairs: [], unmatchedTracks: tracks, unmatchedDetections: detections };
  }
  const costs = new Float64Array(tracks.length * detections.length).fill(Infinity);
  for (const [row, track] of tracks.entries()) {
    for (const [column, detection] of detections.entries()) {
      if (track.label !== detection.label) continue;
      const overlap = intersectionOverUnion(track.box, detection.box) * (weighted ? detection.score : 1);
      // A pair that is not worth having is no pair, rather than one that a better one elsewhere may pay for.
      if (overlap > 0 && overlap >= least) costs[row * detections.length + column] = 1 - overlap;
    }
  }
  const columnOf = assign({ rows: tracks.length, columns: detections.length, costs }, 1 - least);
  const pairs: [Track, Detection][] = [];
  const taken = new Set<number>();
  const unmatchedTracks: Track[] = [];
  for (const [row, track] of tracks.entries()) {
    const column = columnOf[row]!;
    if (column < 0) unmatchedTracks.push(track);
    else {
      pairs.push([track, detections[column]!]);
      taken.add(column);
    }
  }
  return { pairs, unmatchedTracks, unmatchedDetections: detections.filter((_, column) => !taken.has(column)) };
}

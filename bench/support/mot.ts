import type { Box } from '../../core/message/results';
import { intersectionOverUnion } from '../../core/vision/box';
import { assign } from '../../core/vision/track/assignment';

/** One object in one frame, annotated or found. */
export interface TrackBox {
  frame: number;
  id: number;
  /** Pixels. */
  box: Box;
}

export interface MotScores {
  /** 1 - (misses + false positives + switches) / objects; below 0 where mistakes outnumber objects. */
  mota: number;
  idf1: number;
  idSwitches: number;
  recall: number;
  precision: number;
  misses: number;
  falsePositives: number;
  /** Annotated boxes. */
  objects: number;
}

/** MOTChallenge's: overlap from which a box is found. */
const LEAST_OVERLAP = 0.5;

/**
 * The scores of MOTChallenge, as its development kit and TrackEval compute them.
 *
 * CLEAR MOT (Bernardin and Stiefelhagen 2008): frame by frame; a pair of the frame before stays while it overlaps by half, the
 * rest is matched for the greatest number, then the greatest overlap. An object whose track is another than when it was last
 * found, however long ago, is a switch.
 *
 * IDF1 (Ristani et al. 2016): tracks and objects are matched one to one over the whole sequence, for the most frames in common;
 * IDF1 = 2 IDTP / (boxes of the truth + boxes found).
 */
export function motScores(truth: readonly TrackBox[], found: readonly TrackBox[]): MotScores {
  const { hits, idSwitches } = clear(truth, found);
  const misses = truth.length - hits;
  const falsePositives = found.length - hits;
  return {
    mota: 1 - (misses + falsePositives + idSwitches) / truth.length,
    idf1: (2 * identityTruePositives(truth, found)) / (truth.length + found.length),
    idSwitches,
    recall: hits / truth.length,
    precision: found.length === 0 ? 0 : hits / found.length,
    misses,
    falsePositives,
    objects: truth.length,
  };
}

/** A line of the truth; the benchmark leaves out those that it does not consider (far away, mostly hidden). */
export interface TruthBox extends TrackBox {
  considered: boolean;
}

/**
 * A file of MOTChallenge's ground truth: `frame,id,x,y,width,height,considered,...` a line, frames from 1.
 * @throws Error at a line that is none
 */
export function parseGroundTruth(text: string): TruthBox[] {
  return text.split(/\r?\n/).flatMap((line, index) => {
    if (line.trim() === '') return [];
    const [frame, id, x, y, width, height, considered = 1] = line.split(',').map(Number);
    if (![frame, id, x, y, width, height].every(Number.isFinite)) throw new Error(`line ${index + 1} is no box: ${line}`);
    const box = { x: x!, y: y!, width: width!, height: height! };
    return [{ frame: frame!, id: id!, box, considered: considered !== 0 }];
  });
}

function clear(truth: readonly TrackBox[], found: readonly TrackBox[]): { hits: number; idSwitches: number } {
  const foundIn = byFrame(found);
  /** By object: the track it was last found by, and in the frame just before. */
  const lastTrack = new Map<number, number>();
  let before = new Map<number, number>();
  let hits = 0;
  let idSwitches = 0;
  for (const [frame, objects] of [...byFrame(truth)].sort(([a], [b]) => a - b)) {
    const boxes = foundIn.get(frame) ?? [];
    const pairs = matchFrame(objects, boxes, before);
    before = new Map();
    for (const [object, track] of pairs) {
      hits += 1;
      const last = lastTrack.get(object.id);
      if (last !== undefined && last !== track.id) idSwitches += 1;
      lastTrack.set(object.id, track.id);
      before.set(object.id, track.id);
    }
  }
  return { hits, idSwitches };
}

function matchFrame(
  objects: readonly TrackBox[],
  boxes: readonly TrackBox[],
  before: ReadonlyMap<number, number>,
): [TrackBox, TrackBox][] {
  const costs = new Float64Array(objects.length * boxes.length).fill(Infinity);
  for (const [row, object] of objects.entries()) {
    for (const [column, { id, box }] of boxes.entries()) {
      const overlap = intersectionOverUnion(object.box, box);
      if (overlap < LEAST_OVERLAP) continue;
      // A pair that goes on outweighs every other; any pair outweighs the overlap of the rest.
      costs[row * boxes.length + column] = -overlap - (before.get(object.id) === id ? 1_000_000 : 1000);
    }
  }
  const columnOf = assign({ rows: objects.length, columns: boxes.length, costs }, 0);
  return objects.flatMap((object, row): [TrackBox, TrackBox][] => (columnOf[row]! < 0 ? [] : [[object, boxes[columnOf[row]!]!]]));
}

function identityTruePositives(truth: readonly TrackBox[], found: readonly TrackBox[]): number {
  const objectIds = [...new Set(truth.map(({ id }) => id))];
  const trackIds = [...new Set(found.map(({ id }) => id))];
  const foundIn = byFrame(found);
  const shared = new Float64Array(objectIds.length * trackIds.length);
  const rows = new Map(objectIds.map((id, row) => [id, row]));
  const columns = new Map(trackIds.map((id, column) => [id, column]));
  for (const { frame, id, box } of truth) {
    for (const other of foundIn.get(frame) ?? []) {
      if (intersectionOverUnion(box, other.box) < LEAST_OVERLAP) continue;
      shared[rows.get(id)! * trackIds.length + columns.get(other.id)!]! += 1;
    }
  }
  const costs = shared.map((frames) => -frames);
  const columnOf = assign({ rows: objectIds.length, columns: trackIds.length, costs }, 0);
  return columnOf.reduce((sum, column, row) => sum + (column < 0 ? 0 : shared[row * trackIds.length + column]!), 0);
}

function byFrame(boxes: readonly TrackBox[]): Map<number, TrackBox[]> {
  const frames = new Map<number, TrackBox[]>();
  for (const box of boxes) {
    const frame = frames.get(box.frame);
    if (frame) frame.push(box);
    else frames.set(box.frame, [box]);
  }
  return frames;
}

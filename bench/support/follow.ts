import type { Detection } from '../../core/message/results';
import { intersectionOverUnion } from '../../core/vision/box';
import { EventMachine } from '../../core/vision/event';
import { Tracker } from '../../core/vision/track';
import { ZoneCounter, type ZonesSettings } from '../../core/vision/zones';
import type { DetectedFrame } from './footage';
import type { TrackBox, TruthBox } from './mot';

/** Lines over the whole height at these shares of the width: the same for any clip. */
const LINES_AT = [1 / 3, 1 / 2, 2 / 3];
/** Share of the width by which a foot is clear of a line. */
const CLEAR = 0.01;

const LINES: Pick<ZonesSettings, 'lines'> = {
  lines: LINES_AT.map((x, index) => ({ name: `line ${index + 1}`, from: { x, y: 1 }, to: { x, y: 0 } })),
};

/** Crossings by line and direction. */
export type Crossings = number[];

export interface Followed {
  boxes: TrackBox[];
  crossings: Crossings;
  /** One for each event: the object's boxes while it went on. */
  events: TrackBox[][];
}

/**
 * Frames through tracker, lines and events, as a flow has them.
 * @param passes false for frames that a gate stops; all pass without it.
 */
export function follow(frames: readonly DetectedFrame[], passes?: readonly boolean[]): Followed {
  const tracker = new Tracker();
  const counter = new ZoneCounter(LINES);
  const machine = new EventMachine();
  const boxes: TrackBox[] = [];
  const tracksWithEvent = new Set<number>();
  let last = counter.update({ detections: [] }, { width: 1, height: 1 }, -1)!;
  for (const [index, { detections, image, at }] of frames.entries()) {
    if (passes && !passes[index]) continue;
    const tracks = tracker.update(detections, image, at)!;
    for (const { trackId, box } of tracks.detections) boxes.push({ frame: index + 1, id: trackId, box });
    last = counter.update(tracks, image, at)!;
    for (const { phase, event } of machine.update(last.detections, image, at)!.changes) {
      if (phase === 'start') tracksWithEvent.add(event.trackIds[0]!);
    }
  }
  // Who is still on the way at the end has crossed what nothing can take back any more.
  const ids = new Set(boxes.map(({ id }) => id));
  const { lines } = counter.update(
    { detections: [], ended: [...ids].map((trackId) => ({ trackId })) },
    { width: 1, height: 1 },
    1e12,
  )!;
  return {
    boxes,
    crossings: lines.flatMap(({ forwards, backwards }) => [forwards, backwards]),
    events: [...tracksWithEvent].map((id) => boxes.filter((box) => box.id === id)),
  };
}

/** What the annotated feet did, by a rule of its own: from clear of a line on one side to clear of it on the other is a crossing. */
export function trueCrossings(truth: readonly TruthBox[], width: number): Crossings {
  const crossings = LINES_AT.flatMap(() => [0, 0]);
  const ids = new Set(truth.map(({ id }) => id));
  for (const id of ids) {
    const walk = truth.filter((box) => box.id === id).sort((a, b) => a.frame - b.frame);
    for (const [index, line] of LINES_AT.entries()) {
      let side = 0;
      for (const { box } of walk) {
        const foot = (box.x + box.width / 2) / width - line;
        if (Math.abs(foot) < CLEAR) continue;
        // The lines are drawn upwards: forwards is to the right.
        if (side !== 0 && Math.sign(foot) !== side) crossings[2 * index + (foot > 0 ? 0 : 1)]! += 1;
        side = Math.sign(foot);
      }
    }
  }
  return crossings;
}

/** Differences over the truth, summed over lines and directions. */
export function crossingError(found: Crossings, truth: Crossings): number {
  const wrong = truth.reduce((sum, count, index) => sum + Math.abs(count - found[index]!), 0);
  return wrong / truth.reduce((sum, count) => sum + count, 0);
}

/** Events of `all` of which `some` has none: no event of it shares a frame in which the boxes overlap by half. */
export function missedEvents(all: Followed, some: Followed): number {
  const found = new Map<number, TrackBox[]>();
  for (const box of some.events.flat()) {
    const frame = found.get(box.frame);
    if (frame) frame.push(box);
    else found.set(box.frame, [box]);
  }
  const isFound = ({ frame, box }: TrackBox) =>
    found.get(frame)?.some((other) => intersectionOverUnion(box, other.box) >= 0.5) ?? false;
  return all.events.filter((boxes) => !boxes.some(isFound)).length;
}

/** The annotated boxes as a detector would give them that misses one in five and errs by up to a tenth of each size. */
export function imperfect(truth: readonly TruthBox[], frames: number, next: () => number): Detection[][] {
  const jitter = () => (next() * 2 - 1) * 0.1;
  const detections = Array.from({ length: frames }, (): Detection[] => []);
  for (const { frame, box } of truth) {
    if (next() < 0.2) continue;
    detections[frame - 1]!.push({
      label: 'person',
      score: 0.9,
      box: {
        x: box.x + jitter() * box.width,
        y: box.y + jitter() * box.height,
        width: box.width * (1 + jitter()),
        height: box.height * (1 + jitter()),
      },
    });
  }
  return detections;
}

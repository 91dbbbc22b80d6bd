import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crossingError, follow, imperfect, missedEvents, trueCrossings } from '../../bench/support/follow';
import { findClips } from '../../bench/support/footage';
import type { TruthBox } from '../../bench/support/mot';
import { seeded } from '../../bench/support/random';
import type { Detection } from '../../core/message/results';

const image = { width: 900, height: 500 };
const box = (x: number) => ({ x: x - 20, y: 200, width: 40, height: 100 });
const truth = (id: number, xs: number[]): TruthBox[] =>
  xs.map((x, index) => ({ frame: index + 1, id, box: box(x), considered: true }));
const walk = (from: number, to: number) => Array.from({ length: 41 }, (_, frame) => from + ((to - from) * frame) / 40);
const person = (x: number): Detection => ({ label: 'person', score: 0.9, box: box(x) });
const frames = (...walks: number[][]) =>
  walks[0]!.map((_, frame) => ({ at: frame * 100, image, detections: walks.map((xs) => person(xs[frame]!)) }));

describe('crossings of the bench', () => {
  it('are what annotated feet do: clear of a line on one side, then clear of it on the other', () => {
    // The lines lie at 300, 450 and 600; nine pixels are clear of one.
    expect(trueCrossings(truth(1, [100, 295, 305, 310, 500, 460, 440]), 900)).toEqual([1, 0, 1, 1, 0, 0]);
    expect(trueCrossings(truth(1, [295, 305, 295, 305, 303]), 900)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(trueCrossings([...truth(1, [700, 100]), ...truth(2, [700, 100])], 900)).toEqual([0, 2, 0, 2, 0, 2]);
  });

  it('are found by tracker and lines for people who are always seen', () => {
    const walks = [walk(100, 800), walk(800, 350)];
    const { crossings } = follow(frames(...walks));
    const wanted = trueCrossings([...truth(1, walks[0]!), ...truth(2, walks[1]!)], 900);
    expect(wanted).toEqual([1, 0, 1, 1, 1, 1]);
    expect(crossings).toEqual(wanted);
  });

  it('differ by the sum over lines and directions', () => {
    expect(crossingError([2, 5, 6], [2, 4, 8])).toBeCloseTo(3 / 14, 10);
    expect(crossingError([1, 1], [1, 1])).toBe(0);
  });
});

describe('events missed behind a gate', () => {
  const watched = frames(walk(100, 400), walk(800, 500));
  const all = follow(watched);

  it('are none while every frame passes, and all while none does', () => {
    expect(all.events).toHaveLength(2);
    expect(
      missedEvents(
        all,
        follow(
          watched,
          watched.map(() => true),
        ),
      ),
    ).toBe(0);
    expect(
      missedEvents(
        all,
        follow(
          watched,
          watched.map(() => false),
        ),
      ),
    ).toBe(2);
  });

  it('are those of objects that were not there when it was open', () => {
    const half = watched.map(({ detections, ...frame }) => ({ ...frame, detections: detections.slice(0, 1) }));
    expect(missedEvents(all, follow(half))).toBe(1);
  });
});

describe('an imperfect detector', () => {
  it('drops a fifth and errs by a tenth at most, the same for the same seed', () => {
    const boxes = truth(
      1,
      Array.from({ length: 2000 }, () => 450),
    );
    const found = imperfect(boxes, 2000, seeded(4));
    const kept = found.flat();
    expect(kept.length / 2000).toBeCloseTo(0.8, 1);
    for (const { box: one } of kept) {
      expect(Math.abs(one.x - 430)).toBeLessThanOrEqual(4);
      expect(Math.abs(one.height - 100)).toBeLessThanOrEqual(10);
    }
    expect(imperfect(boxes, 2000, seeded(4))).toEqual(found);
    expect(imperfect(boxes, 2000, seeded(5))).not.toEqual(found);
  });
});

describe('clips to measure on', () => {
  const folder = mkdtempSync(join(tmpdir(), 'edgeloom-clips-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('are those with a ground truth beside them', () => {
    expect(() => findClips(folder)).toThrow('NAME-gt.txt');
    for (const name of ['b.mp4', 'a.avi', 'lonely.avi']) writeFileSync(join(folder, name), '');
    for (const name of ['a', 'b']) writeFileSync(join(folder, `${name}-gt.txt`), '1,1,0,0,10,20,1\n7,1,0,0,10,20,1\n');
    expect(findClips(folder).map(({ name, frames: last }) => `${name} ${last}`)).toEqual(['a 7', 'b 7']);
  });
});

import type { Detection } from '../../../../core/message/results';
import { Tracker, type TrackerSettings } from '../../../../core/vision/track';

const IMAGE = { width: 640, height: 480 };

const person = (x: number, y = 100, score = 0.9, label = 'person'): Detection => ({
  label,
  score,
  box: { x, y, width: 40, height: 100 },
});

/** Frames 100 ms apart, each a list of detections; what the tracker gives for each. */
function follow(frames: Detection[][], settings: Partial<TrackerSettings> = {}) {
  const tracker = new Tracker({ coastSeconds: 0, ...settings });
  const given = frames.map((detections, frame) => tracker.update(detections, IMAGE, 1000 + frame * 100)!);
  return { tracker, given, ids: given.map(({ detections }) => detections.map(({ trackId }) => trackId)) };
}

/** A walk to the right at 50 pixels a second. */
const walk = (frames: number, from = 50, step = 5) => Array.from({ length: frames }, (_, frame) => [person(from + step * frame)]);

describe('following one object', () => {
  it('confirms it at its second frame and gives it one number from then on', () => {
    expect(follow(walk(5)).ids).toEqual([[], [1], [1], [1], [1]]);
  });

  it('tells its age, its frames, its velocity and its speed', () => {
    const { given } = follow(walk(40));
    const [track] = given.at(-1)!.detections;
    expect(track).toMatchObject({ label: 'person', trackId: 1, seen: true, age: 3.9, hits: 40 });
    expect(track!.velocity.x).toBeCloseTo(50, 0);
    expect(track!.velocity.y).toBeCloseTo(0, 6);
    expect(track!.speed).toBeCloseTo(50, 0);
    expect(track!.relativeSpeed).toBeCloseTo(50 / 800, 3);
  });

  it('loses it and finds it again under its number', () => {
    const frames = walk(30);
    for (let frame = 12; frame < 22; frame++) frames[frame] = [];
    const { ids, given, tracker } = follow(frames);
    expect(ids[15]).toEqual([]);
    expect(given[15]!.lost).toMatchObject([{ trackId: 1, label: 'person', lostFor: 0.4 }]);
    // Expected where it would have walked to.
    expect(given[15]!.lost[0]!.box.x).toBeCloseTo(50 + 5 * 15, -1);
    expect(ids.at(-1)).toEqual([1]);
    expect(tracker.counts).toMatchObject({ tracks: 1, found: 1 });
  });

  it('reports it where it is expected while it is not seen for a moment', () => {
    const frames = walk(12);
    frames[8] = [];
    const { given } = follow(frames, { coastSeconds: 0.3 });
    expect(given[8]!.detections).toMatchObject([{ trackId: 1, seen: false }]);
    expect(given[8]!.detections[0]!.box.x).toBeCloseTo(90, -1);
    expect(given[8]!.lost).toEqual([]);
  });

  it('ends it after the time it may be lost, and what comes then is another', () => {
    const frames = [...walk(10), ...Array<Detection[]>(25).fill([]), ...walk(3, 100)];
    const { ids, given } = follow(frames, { lostSeconds: 2 });
    const ended = given.flatMap((frame) => frame.ended);
    expect(ended).toEqual([{ trackId: 1, label: 'person', age: 0.9, hits: 10 }]);
    expect(ids.at(-1)).toEqual([2]);
  });

  it('gives no number to what is seen once', () => {
    const { given, tracker } = follow([[person(50)], [], [person(300)], [], [person(50)], []]);
    expect(given.every(({ detections, lost, ended }) => [...detections, ...lost, ...ended].length === 0)).toBe(true);
    expect(tracker.counts.tracks).toBe(0);
  });
});

describe('ByteTrack', () => {
  it('holds an object by weak boxes, and starts none by them', () => {
    const frames = walk(20).map(([found], frame) => [frame < 5 ? found! : { ...found!, score: 0.2 }]);
    expect(follow(frames).ids.at(-1)).toEqual([1]);
    expect(follow(walk(20).map(([found]) => [{ ...found!, score: 0.55 }])).tracker.counts.tracks).toBe(0);
  });

  it('lets what only weak boxes hold go after a while, and keeps what is sure again before', () => {
    const faint = (frames: number) => Array<Detection[]>(frames).fill([person(50, 100, 0.2)]);
    const sure = (frames: number) => Array<Detection[]>(frames).fill([person(50)]);
    const settings = { weakSeconds: 2, lostSeconds: 1 };
    expect(follow([...sure(5), ...faint(40)], settings).given.flatMap(({ ended }) => ended)).toMatchObject([{ hits: 25 }]);
    expect(follow([...sure(5), ...faint(18), ...sure(2), ...faint(18)], settings).ids.at(-1)).toEqual([1]);
  });

  it('does not look for a lost object among weak boxes', () => {
    const frames = [...walk(5), [], [person(80, 100, 0.2)]];
    expect(follow(frames).ids.at(-1)).toEqual([]);
  });

  it('keeps two who cross apart by their motion', () => {
    const frames = Array.from({ length: 40 }, (_, frame) => [person(50 + 8 * frame, 100), person(370 - 8 * frame, 130)]);
    const { given } = follow(frames);
    const rightwards = given.slice(5).map(({ detections }) => detections.find(({ trackId }) => trackId === 1)!.velocity.x > 0);
    expect(new Set(rightwards).size).toBe(1);
    expect(given.at(-1)!.detections.map(({ trackId }) => trackId)).toEqual([1, 2]);
  });

  it('keeps two apart who pass each other while the detector sees one', () => {
    const frames = Array.from({ length: 50 }, (_, frame) => {
      const [left, right] = [person(50 + 6 * frame, 100), person(350 - 6 * frame, 110)];
      return Math.abs(left.box.x - right.box.x) < 24 ? [person(200, 105)] : [left, right];
    });
    const { given } = follow(frames);
    const end = given.at(-1)!.detections.map(({ trackId, velocity }) => `${trackId} ${velocity.x > 0 ? 'right' : 'left'}`);
    expect(end).toEqual(['1 right', '2 left']);
  });

  it('never matches boxes of different labels', () => {
    const frames = Array.from({ length: 10 }, (_, frame) => [person(50, 100, 0.9, frame < 5 ? 'cat' : 'dog')]);
    const { given } = follow(frames);
    expect(given[4]!.detections).toMatchObject([{ label: 'cat', trackId: 1 }]);
    expect(given[9]!.detections).toMatchObject([{ label: 'dog', trackId: 2 }]);
  });

  it('follows on although the time between frames varies from 20 ms to 1.5 s', () => {
    const tracker = new Tracker();
    const gaps = [100, 20, 400, 150, 1500, 30, 700, 100, 1200, 50];
    let at = 0;
    let last: number[] = [];
    for (let round = 0; round < 3; round++) {
      for (const gap of gaps) {
        at += gap;
        last = tracker.update([person(20 + at * 0.02)], IMAGE, at)!.detections.map(({ trackId }) => trackId);
      }
    }
    expect(last).toEqual([1]);
    expect(tracker.counts.tracks).toBe(1);
  });

  it('takes nobody for the one who stood there an hour ago', () => {
    const tracker = new Tracker();
    tracker.update([person(50)], IMAGE, 0);
    tracker.update([person(50)], IMAGE, 100);
    const after = tracker.update([person(50)], IMAGE, 3_600_000)!;
    expect(after.detections).toEqual([]);
    expect(after.ended).toMatchObject([{ trackId: 1 }]);
    // Nor for one who was about to be confirmed.
    expect(tracker.update([person(50)], IMAGE, 7_200_000)!.detections).toEqual([]);
    expect(tracker.update([person(50)], IMAGE, 7_200_100)!.detections).toMatchObject([{ trackId: 2, age: 0.1 }]);
  });
});

describe('bad input to a tracker', () => {
  it('refuses a frame that is not newer, and nothing of it is used', () => {
    const tracker = new Tracker();
    tracker.update([person(50)], IMAGE, 1000);
    tracker.update([person(55)], IMAGE, 1100);
    expect(tracker.update([person(400)], IMAGE, 1050)).toBeNull();
    expect(tracker.update([person(60)], IMAGE, 1100)).toBeNull();
    expect(tracker.update([person(60)], IMAGE, 1200)!.detections).toMatchObject([{ trackId: 1, hits: 3 }]);
    expect(tracker.counts).toMatchObject({ refusedFrames: 2, tracks: 1 });
  });

  it('keeps its tracks when the clock is set back by an hour', () => {
    const tracker = new Tracker();
    const hour = 3_600_000;
    for (let frame = 0; frame < 10; frame++) tracker.update([person(50 + 5 * frame)], IMAGE, 2 * hour + frame * 100);
    for (let frame = 10; frame < 20; frame++) tracker.update([person(50 + 5 * frame)], IMAGE, hour + frame * 100);
    expect(tracker.counts).toMatchObject({ tracks: 1, clockSetBack: 1, refusedFrames: 0 });
  });

  it('leaves out and counts boxes with NaN, without an area, outside the picture, and scores that are none', () => {
    const bad = [
      { ...person(0), box: { x: Number.NaN, y: 0, width: 10, height: 10 } },
      { ...person(0), box: { x: 0, y: 0, width: Infinity, height: 10 } },
      { ...person(0), box: { x: 0, y: 0, width: 10, height: 0 } },
      { ...person(0), box: { x: 0, y: 0, width: -10, height: 10 } },
      person(700),
      person(-50),
      person(0, 0, Number.NaN),
      person(0, 0, 1.5),
      { label: 'person', score: 0.9 } as Detection,
    ];
    const { ids, tracker } = follow([bad, bad, bad]);
    expect(ids).toEqual([[], [], []]);
    expect(tracker.counts.ignored).toBe(3 * bad.length);
  });

  it('cuts a box that leaves the picture at its edge, and loses what has left', () => {
    const { given } = follow(Array.from({ length: 20 }, (_, frame) => [person(560 + 8 * frame)]));
    for (const { detections } of given) {
      for (const { box } of detections) {
        expect(box.x + box.width).toBeLessThanOrEqual(640.01);
        expect(box.width).toBeGreaterThan(0);
      }
    }
    expect(given.at(-1)!.detections).toEqual([]);
  });

  it('gives nothing for frames without detections', () => {
    expect(follow([[], [], []]).ids).toEqual([[], [], []]);
  });

  it('looks at the best of 500 detections and follows no more than it may', () => {
    const crowd = Array.from({ length: 500 }, (_, i) => person((i % 25) * 24, Math.floor(i / 25) * 18, 0.6 + i / 2000));
    const { given, tracker } = follow([crowd, crowd, crowd], { mostTracks: 60, mostDetections: 100 });
    expect(given.at(-1)!.detections).toHaveLength(60);
    expect(Math.min(...given.at(-1)!.detections.map(({ score }) => score))).toBeGreaterThan(0.79);
    expect(tracker.counts.ignored).toBe(1200);
    expect(tracker.counts.refusedTracks).toBe(120);
  });

  it('gives up the one lost for longest for one that is there, when it follows as many as it may', () => {
    const settings = { mostTracks: 2, lostSeconds: 10 };
    const frames = [...walk(3, 50, 0), ...walk(3, 300, 0), ...walk(3, 500, 0)];
    const { given, tracker } = follow(frames, settings);
    expect(given.flatMap(({ ended }) => ended.map(({ trackId }) => trackId))).toEqual([1]);
    expect(given.at(-1)).toMatchObject({ detections: [{ trackId: 3 }], lost: [{ trackId: 2 }] });
    expect(tracker.counts.refusedTracks).toBe(0);
  });

  it('says which setting is wrong', () => {
    for (const [settings, name] of [
      [{ highScore: 2 }, 'highScore'],
      [{ lowScore: 0.8 }, 'lowScore'],
      [{ confirmFrames: 0.5 }, 'confirmFrames'],
      [{ lostSeconds: -1 }, 'lostSeconds'],
      [{ coastSeconds: 5 }, 'coastSeconds'],
      [{ weakSeconds: -1 }, 'weakSeconds'],
      [{ mostTracks: 1e6 }, 'mostTracks'],
    ] as const) {
      expect(() => new Tracker(settings)).toThrow(expect.objectContaining({ code: 'EDGE_SETTING' }));
      expect(() => new Tracker(settings)).toThrow(name);
    }
  });
});

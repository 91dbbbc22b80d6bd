import type { Detection } from '../../../../core/message/results';
import { ZoneCounter, type ZonesInput, type ZonesSettings } from '../../../../core/vision/zones';

const IMAGE = { width: 1000, height: 500 };
/** The middle third of the picture. */
const middle = {
  name: 'middle',
  polygon: [
    { x: 1 / 3, y: 0 },
    { x: 2 / 3, y: 0 },
    { x: 2 / 3, y: 1 },
    { x: 1 / 3, y: 1 },
  ],
};
/** From the lower edge up through the middle: forwards is to the right. */
const line = { name: 'door', from: { x: 0.5, y: 0.95 }, to: { x: 0.5, y: 0.3 } };

/** An object whose foot is at (x, y) pixels. */
const at = (x: number, y = 400, trackId = 1, label = 'person') => ({
  label,
  score: 0.9,
  trackId,
  box: { x: x - 20, y: y - 100, width: 40, height: 100 },
});

/** Frames 100 ms apart; what the counter gives for each. */
function count(frames: ZonesInput['detections'][], settings: Partial<ZonesSettings>) {
  const counter = new ZoneCounter({ margin: 0, inertiaFrames: 1, ...settings });
  const given = frames.map((detections, frame) => counter.update({ detections }, IMAGE, frame * 100)!);
  return { counter, given, changes: given.flatMap(({ changes }) => changes) };
}

const walk = (from: number, to: number, step = 20) => {
  const frames = Math.floor(Math.abs(to - from) / step);
  return Array.from({ length: frames + 1 }, (_, frame) => [at(from + Math.sign(to - from) * step * frame)]);
};

describe('a zone', () => {
  it('is entered and left, with the time between', () => {
    const { given, changes } = count(walk(100, 900), { zones: [middle] });
    expect(changes).toEqual([
      { kind: 'enter', zone: 'middle', trackId: 1, label: 'person' },
      { kind: 'leave', zone: 'middle', trackId: 1, label: 'person', dwell: 1.7 },
    ]);
    expect(given.at(-1)!.zones).toEqual([{ name: 'middle', present: 0, labels: {}, objects: [], entered: 1, left: 1 }]);
  });

  it('says who is in it for how long, and each detection in which zones it is', () => {
    const frames = Array.from({ length: 21 }, (_, frame) => [at(500), at(frame < 10 ? 100 : 450, 400, 2, 'dog'), at(50, 400, 3)]);
    const { given } = count(frames, { zones: [middle] });
    expect(given[20]!.zones[0]).toMatchObject({
      present: 2,
      labels: { person: 1, dog: 1 },
      objects: [
        { trackId: 1, label: 'person', dwell: 2 },
        { trackId: 2, label: 'dog', dwell: 1 },
      ],
    });
    expect(given[20]!.detections.map(({ zones }) => zones)).toEqual([['middle'], ['middle'], []]);
  });

  it('stands for an object by its foot, or by its middle', () => {
    const lower = {
      name: 'lower',
      polygon: [0, 1].flatMap((x) => [
        { x, y: x ? 1 : 0.6 },
        { x, y: x ? 0.6 : 1 },
      ]),
    };
    const inside = (anchor: 'foot' | 'centre') =>
      count([[at(500, 330)]], { zones: [{ ...lower, anchor }] }).given[0]!.zones[0]!.present;
    expect([inside('foot'), inside('centre')]).toEqual([1, 0]);
  });

  it('counts only the labels it is for', () => {
    const { given } = count([[at(500), at(510, 400, 2, 'dog')]], { zones: [{ ...middle, labels: ['dog'] }] });
    expect(given[0]!.zones[0]!.labels).toEqual({ dog: 1 });
  });

  it('does not flicker: a frame outside is no leaving, a frame inside no entering', () => {
    const xs = [100, 500, 100, 100, 500, 500, 500, 100, 500, 500, 100, 100, 100];
    const { changes, given } = count(
      xs.map((x) => [at(x)]),
      { zones: [middle], inertiaFrames: 2 },
    );
    expect(changes.map(({ kind }) => kind)).toEqual(['enter', 'leave']);
    expect(given.map(({ zones }) => zones[0]!.present)).toEqual([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0]);
    // From the first frame inside to the first outside, not from when they were believed.
    expect(changes[1]).toMatchObject({ dwell: 0.6 });
  });

  it('can ask for seconds instead of frames', () => {
    const kinds = (to: number) => count(walk(100, to), { zones: [middle], inertiaSeconds: 1 }).changes.map(({ kind }) => kind);
    // Outside from 680 on, at 20 pixels in a tenth of a second.
    expect(kinds(860)).toEqual(['enter']);
    expect(kinds(900)).toEqual(['enter', 'leave']);
    expect(count(walk(300, 400), { zones: [middle], inertiaSeconds: 1 }).changes).toEqual([]);
  });

  it('keeps who stands on its edge, until the margin is passed', () => {
    const xs = [400, 330, 340, 325, 336, 328, 250];
    const kinds = (margin: number) =>
      count(
        xs.map((x) => [at(x)]),
        { zones: [middle], margin },
      ).changes.map(({ kind }) => kind);
    expect(kinds(0)).toEqual(['enter', 'leave', 'enter', 'leave', 'enter', 'leave']);
    expect(kinds(0.02)).toEqual(['enter', 'leave']);
  });

  it('keeps who is lost until he is ended, and leaves no time out', () => {
    const counter = new ZoneCounter({ zones: [middle], inertiaFrames: 1 });
    const lost = { detections: [], lost: [{ trackId: 1 }] };
    counter.update({ detections: [at(500)] }, IMAGE, 0);
    for (let frame = 1; frame < 60; frame++) {
      expect(counter.update(lost, IMAGE, frame * 100)!.zones[0]!.present).toBe(1);
    }
    const { changes, zones } = counter.update({ detections: [], ended: [{ trackId: 1 }] }, IMAGE, 6000)!;
    expect(changes).toEqual([{ kind: 'leave', zone: 'middle', trackId: 1, label: 'person', dwell: 5.9 }]);
    expect(zones[0]!.present).toBe(0);
  });

  it('forgets who comes no more without a word, as trackers of others do', () => {
    const frames = [[at(500)], ...Array<Detection[]>(40).fill([])];
    const { changes } = count(frames, { zones: [middle], forgetSeconds: 3 });
    expect(changes).toEqual([
      { kind: 'enter', zone: 'middle', trackId: 1, label: 'person' },
      { kind: 'leave', zone: 'middle', trackId: 1, label: 'person', dwell: 0 },
    ]);
  });

  it('is left when no frame comes any more', () => {
    const counter = new ZoneCounter({ zones: [middle], inertiaFrames: 1, forgetSeconds: 3 });
    counter.update({ detections: [at(500)] }, IMAGE, 0);
    counter.update({ detections: [at(500)] }, IMAGE, 1000);
    expect(counter.tick(3900)).toMatchObject({ zones: [{ present: 1 }], changes: [] });
    expect(counter.tick(4100)).toMatchObject({ zones: [{ present: 0, left: 1 }], changes: [{ kind: 'leave', dwell: 1 }] });
    // A tick moves no clock: frames that come late are still taken.
    expect(counter.update({ detections: [at(500)] }, IMAGE, 1100)).not.toBeNull();
  });

  it('counts what nobody follows as present, and no more', () => {
    const { trackId: _trackId, ...box } = at(500);
    const { given, changes } = count([[box, { ...box, trackId: 1.5 }, at(100)]], { zones: [middle] });
    expect(given[0]!.zones[0]).toMatchObject({ present: 2, labels: { person: 2 }, objects: [], entered: 0 });
    expect(changes).toEqual([]);
  });

  it('is the same in a picture of another size', () => {
    const counter = new ZoneCounter({ zones: [middle], inertiaFrames: 1 });
    counter.update({ detections: [at(500)] }, IMAGE, 0);
    const half = { ...at(0), box: { x: 240, y: 150, width: 20, height: 50 } };
    const { zones, changes } = counter.update({ detections: [half] }, { width: 500, height: 250 }, 100)!;
    expect(zones[0]!.present).toBe(1);
    expect(changes).toEqual([]);
  });
});

describe('a line', () => {
  const counts = (frames: ZonesInput['detections'][], settings: Partial<ZonesSettings> = {}) => {
    const { forwards, backwards } = count(frames, { lines: [line], ...settings }).given.at(-1)!.lines[0]!;
    return [forwards, backwards];
  };

  it('counts both ways', () => {
    const { changes } = count([...walk(300, 700), ...walk(700, 300)], { lines: [line] });
    expect(changes).toEqual([
      { kind: 'cross', line: 'door', trackId: 1, label: 'person', direction: 'forwards' },
      { kind: 'cross', line: 'door', trackId: 1, label: 'person', direction: 'backwards' },
    ]);
    expect(counts([...walk(300, 700), ...walk(700, 300)])).toEqual([1, 1]);
  });

  it('is not crossed beyond its ends, nor by going around one', () => {
    expect(counts(walk(300, 700).map(([one]) => [at(one!.box.x + 20, 130)]))).toEqual([0, 0]);
    const around = [at(450), at(450, 120), at(550, 120), at(550), at(600)].map((one) => [one]);
    expect(counts(around)).toEqual([0, 0]);
    // Over it one way and back around its end: that is once.
    const back = [at(450), at(550), at(550, 120), at(450, 120), at(450)].map((one) => [one]);
    expect(counts(back)).toEqual([1, 0]);
  });

  it('is not crossed by who flickers on it', () => {
    const jitter = Array.from({ length: 60 }, (_, frame) => [at(500 + (frame % 2 ? 6 : -6))]);
    expect(counts(jitter, { margin: 0.02, inertiaFrames: 2 })).toEqual([0, 0]);
    expect(counts([...jitter, ...walk(510, 700)], { margin: 0.02, inertiaFrames: 2 })).toEqual([1, 0]);
    expect(counts([...jitter, ...walk(490, 300)], { margin: 0.02, inertiaFrames: 2 })).toEqual([0, 0]);
  });

  it('is crossed by who was lost before it and found behind it', () => {
    const gap = Array<Detection[]>(10).fill([]);
    expect(counts([...walk(300, 460), ...gap, ...walk(560, 700)])).toEqual([1, 0]);
  });

  it('is not crossed by who is only expected behind it', () => {
    const expected = walk(480, 700).map(([one]) => [{ ...one!, seen: false }]);
    expect(counts([...walk(300, 460), ...expected])).toEqual([0, 0]);
  });

  it('counts who ends just behind it, before the inertia was over', () => {
    const counter = new ZoneCounter({ lines: [line], inertiaFrames: 5 });
    for (const [frame, detections] of walk(440, 520).entries()) counter.update({ detections }, IMAGE, frame * 100);
    const { lines, changes } = counter.update({ detections: [], ended: [{ trackId: 1 }] }, IMAGE, 2000)!;
    expect(lines[0]).toMatchObject({ forwards: 1, backwards: 0 });
    expect(changes).toHaveLength(1);
  });

  it('counts two who cross at once, and only the labels it is for', () => {
    const frames = walk(300, 700).map(([one], frame) => [
      one!,
      at(700 - 20 * frame, 420, 2),
      at(300 + 20 * frame, 420, 3, 'dog'),
    ]);
    expect(counts(frames)).toEqual([2, 1]);
    expect(counts(frames, { lines: [{ ...line, labels: ['dog'] }] })).toEqual([1, 0]);
  });
});

describe('totals', () => {
  it('begin anew when they are reset, and go on when they are restored', () => {
    const settings = { zones: [middle], lines: [line] };
    const { counter } = count(walk(300, 700), settings);
    const kept = counter.keep();
    expect(kept).toEqual({ zones: { middle: { entered: 1, left: 1 } }, lines: { door: { forwards: 1, backwards: 0 } } });
    counter.reset();
    expect(counter.keep().lines).toEqual({ door: { forwards: 0, backwards: 0 } });
    const next = new ZoneCounter(settings);
    next.restore({ ...kept, zones: { ...kept.zones, gone: { entered: 9, left: 9 } } });
    expect(next.keep()).toEqual(kept);
    next.restore({ zones: { middle: { entered: 'many', left: -3 } } } as never);
    next.restore({});
    expect(next.keep()).toEqual(kept);
  });
});

describe('bad input to zones', () => {
  it('takes a number whose age became less for another object: the tracker began anew', () => {
    const aged = (x: number, age: number) => [{ ...at(x), age }];
    const { changes } = count([aged(450, 8), aged(460, 8.1), aged(560, 0.1), aged(580, 0.2)], { zones: [middle], lines: [line] });
    expect(changes.map(({ kind }) => kind)).toEqual(['enter', 'leave', 'enter']);
  });

  it('refuses a frame that is not newer', () => {
    const { counter } = count(walk(300, 400), { zones: [middle] });
    expect(counter.update({ detections: [at(900)] }, IMAGE, 200)).toBeNull();
  });

  it('leaves out detections without a box or with NaN', () => {
    const bad = [
      { label: 'person', score: 0.9, trackId: 4 } as Detection,
      { ...at(500), box: { x: Number.NaN, y: 0, width: 10, height: 10 } },
    ];
    const { given } = count([bad], { zones: [middle] });
    expect(given[0]!.zones[0]!.present).toBe(0);
    expect(given[0]!.detections.map(({ zones }) => zones)).toEqual([[], []]);
  });

  it('holds the foot of a box that hangs out of the picture inside it', () => {
    expect(count([[at(500, 700)]], { zones: [middle] }).given[0]!.zones[0]!.present).toBe(1);
  });

  it('remembers a thousand objects and no more', () => {
    const counter = new ZoneCounter({ zones: [middle], inertiaFrames: 1 });
    for (let frame = 0; frame < 30; frame++) {
      const detections = Array.from({ length: 100 }, (_, i) => at(500, 400, frame * 100 + i));
      counter.update({ detections }, IMAGE, frame * 50);
    }
    const [zone] = counter.update({ detections: [] }, IMAGE, 1500)!.zones;
    expect(zone).toMatchObject({ present: 1000, entered: 3000, left: 2000 });
  });

  it('says which zone, line or setting is wrong', () => {
    const bow = { name: 'bow', polygon: [0, 2, 1, 3].map((corner) => middle.polygon[corner]!) };
    for (const [settings, code, words] of [
      [{ zones: [bow] }, 'EDGE_ZONE_SHAPE', '"bow" crosses itself'],
      [{ lines: [{ ...line, to: line.from }] }, 'EDGE_ZONE_SHAPE', '"door" begins where it ends'],
      [{ lines: [{ ...line, to: { x: 2, y: 0 } }] }, 'EDGE_ZONE_SHAPE', 'outside the picture'],
      [{ zones: [middle], lines: [{ ...line, name: 'middle' }] }, 'EDGE_SETTING', 'another name'],
      [{ zones: [{ ...middle, name: ' ' }] }, 'EDGE_SETTING', 'a name'],
      [{ inertiaFrames: 0 }, 'EDGE_SETTING', 'inertiaFrames'],
      [{ margin: 3 }, 'EDGE_SETTING', 'margin'],
    ] as const) {
      expect(() => new ZoneCounter(settings)).toThrow(expect.objectContaining({ code }));
      expect(() => new ZoneCounter(settings)).toThrow(words);
    }
  });
});

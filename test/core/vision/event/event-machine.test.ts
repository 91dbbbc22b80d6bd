import type { Detection } from '../../../../core/message/results';
import { EventMachine, type EventSettings, type EventStep } from '../../../../core/vision/event';

const IMAGE = { width: 1000, height: 500 };
/** 2026-03-01T14:02:00Z. */
const T0 = 1_772_373_720_000;

const object = (trackId: number, more: Partial<Detection> & { seen?: boolean } = {}) => ({
  label: 'person',
  score: 0.9,
  trackId,
  box: { x: 400, y: 100, width: 100, height: 200 },
  ...more,
});

function machine(settings: Partial<EventSettings> = {}) {
  let ids = 0;
  return new EventMachine({ leastSeconds: 0.5, endSeconds: 1, ...settings }, () => `event ${++ids}`);
}

/** Frames 100 ms apart from T0 on. */
function play(events: EventMachine, frames: ReturnType<typeof object>[][], from = 0): EventStep[] {
  return frames.map((detections, frame) => events.update(detections, IMAGE, T0 + (from + frame) * 100)!);
}

const times = <T>(count: number, one: T): T[] => Array<T>(count).fill(one);
const told = (steps: EventStep[]) =>
  steps.flatMap(({ changes }, frame) => changes.map(({ phase, reason }) => `${frame} ${phase} ${reason}`));
const last = (steps: EventStep[]) => steps.flatMap(({ changes }) => changes).at(-1)!.event;

describe('an event', () => {
  it('starts when something has been there long enough, and ends when it has been gone long enough', () => {
    const steps = play(machine(), [...times(20, [object(1)]), ...times(15, [])]);
    expect(told(steps)).toEqual(['5 start seen', '30 end gone']);
    expect(steps[5]!.changes[0]!.event).toEqual({
      id: 'event 1',
      kind: 'object',
      name: 'person',
      startedAt: T0,
      duration: 0.5,
      labels: { person: 1 },
      trackIds: [1],
      zones: [],
      loitering: false,
      best: { at: T0, label: 'person', score: 0.9, box: object(1).box },
    });
    // It ended when the object was last there, not when that was sure.
    expect(last(steps)).toMatchObject({ endedAt: T0 + 1900, duration: 1.9 });
  });

  it('is none when something is there too briefly, and its picture is let go', () => {
    const steps = play(machine(), [...times(3, [object(1)]), ...times(15, [])]);
    expect(told(steps)).toEqual([]);
    expect(steps.flatMap(({ forget }) => forget)).toEqual(['event 1']);
  });

  it('does not mind gaps shorter than its end, before its start neither', () => {
    const gaps = [
      ...times(3, [object(1)]),
      ...times(8, []),
      ...times(10, [object(1)]),
      ...times(8, []),
      ...times(2, [object(1)]),
    ];
    const steps = play(machine(), [...gaps, ...times(15, [])]);
    expect(told(steps).map((line) => line.slice(line.indexOf(' ') + 1))).toEqual(['start seen', 'end gone']);
    expect(last(steps).duration).toBe(3);
  });

  it('is one for each object, so that two go on at once', () => {
    const frames = [...times(10, [object(1)]), ...times(10, [object(1), object(2)]), ...times(10, [object(2)]), ...times(15, [])];
    const steps = play(machine(), frames);
    expect(steps.flatMap(({ changes }) => changes).map(({ phase, event }) => `${phase} ${event.trackIds}`)).toEqual([
      'start 1',
      'start 2',
      'end 1',
      'end 2',
    ]);
  });

  it('is one for all together where the scene is what matters', () => {
    const frames = [
      ...times(10, [object(1)]),
      ...times(10, [object(2), object(3), object(4, { label: 'dog' })]),
      ...times(15, []),
    ];
    const steps = play(machine({ per: 'scene' }), frames);
    expect(told(steps)).toEqual(['5 start seen', '30 end gone']);
    expect(last(steps)).toMatchObject({ kind: 'scene', name: 'scene', labels: { person: 2, dog: 1 }, trackIds: [1, 2, 3, 4] });
  });

  it('takes what nobody follows for one object of each label', () => {
    const loose = (label: string) => ({ label, score: 0.9, box: object(1).box });
    const events = machine();
    const steps = times(10, 0).map(
      (_, frame) => events.update([loose('cat'), loose('cat'), loose('dog')], IMAGE, T0 + frame * 100)!,
    );
    expect(steps.flatMap(({ changes }) => changes).map(({ event }) => event.labels)).toEqual([{ cat: 2 }, { dog: 1 }]);
  });

  it('asks for a label, a zone and a score', () => {
    const settings = { labels: ['person'], zones: ['yard'], leastScore: 0.5 };
    const wanted = (more: Parameters<typeof object>[1]) =>
      told(play(machine(settings), times(10, [object(1, { zones: ['yard'], ...more })]))).length;
    expect([{}, { label: 'dog' }, { zones: [] }, { zones: ['road'] }, { score: 0.4 }].map(wanted)).toEqual([1, 0, 0, 0, 0]);
  });

  it('is updated when it enters another zone, and names zones in their order', () => {
    const frames = [
      ...times(8, [object(1, { zones: ['road'] })]),
      ...times(5, [object(1, { zones: ['road', 'gate'] })]),
      ...times(5, [object(1, { zones: ['yard'] })]),
    ];
    const steps = play(machine(), frames);
    expect(told(steps)).toEqual(['5 start seen', '8 update zone', '13 update zone']);
    expect(last(steps).zones).toEqual(['road', 'gate', 'yard']);
  });

  it('is updated once when it begins to loiter', () => {
    const steps = play(machine({ loiterSeconds: 2 }), times(40, [object(1)]));
    expect(told(steps)).toEqual(['5 start seen', '20 update loitering']);
    expect(last(steps)).toMatchObject({ loitering: true, duration: 2 });
  });

  it('is updated at an interval, no faster while it is gone', () => {
    const steps = play(machine({ updateSeconds: 1, endSeconds: 3 }), [...times(20, [object(1)]), ...times(35, [])]);
    const lines = told(steps);
    expect(lines[0]).toBe('5 start seen');
    expect(lines.filter((line) => line.endsWith('interval')).length).toBeLessThanOrEqual(5);
    expect(lines.at(-1)).toBe('50 end gone');
  });

  it('keeps the others of its name back while they cool down, and tells of who is still there then', () => {
    const frames = [
      ...times(10, [object(1)]),
      ...times(15, []),
      ...times(20, [object(2)]),
      ...times(20, [object(3, { label: 'dog' })]),
    ];
    const steps = play(machine({ coolDownSeconds: 3 }), frames);
    const lines = steps.flatMap(({ changes }, frame) =>
      changes.map(({ phase, event }) => `${frame} ${phase} ${event.name} ${event.trackIds}`),
    );
    // The first ended at frame 9: until frame 39 no other person begins, but a dog would.
    expect(lines).toEqual(['5 start person 1', '20 end person 1', '39 start person 2', '50 start dog 3', '55 end person 2']);
    expect(told(play(machine({ coolDownSeconds: 60 }), frames.slice(0, 45)))).toEqual(['5 start seen', '20 end gone']);
  });

  it('is cut in two when it lasts too long', () => {
    const steps = play(machine({ mostSeconds: 2 }), times(45, [object(1)]));
    expect(told(steps)).toEqual(['5 start seen', '20 end longest', '26 start seen', '41 end longest']);
  });

  it('stays while its object is only expected', () => {
    const steps = play(machine(), [...times(10, [object(1)]), ...times(30, [object(1, { seen: false })])]);
    expect(told(steps)).toEqual(['5 start seen']);
  });
});

describe('the picture of an event', () => {
  const keeps = (boxes: Partial<Detection>[]) => {
    const events = machine();
    const steps = play(
      events,
      boxes.map((box) => [object(1, box)]),
    );
    return { frames: steps.flatMap(({ keep }, frame) => (keep.length > 0 ? [frame] : [])), events };
  };
  const box = (width: number, x = 300) => ({ box: { x, y: 100, width, height: 2 * width } });

  it('is the one on which the object is large and sure', () => {
    expect(keeps([box(50), box(100), box(60), { ...box(100), score: 0.5 }, box(150)]).frames).toEqual([0, 1, 4]);
  });

  it('is not taken anew for a little', () => {
    expect(keeps([box(100), box(102), box(104), box(106)]).frames).toEqual([0]);
  });

  it('prefers what is whole to what is cut off at the edge', () => {
    expect(keeps([box(150, 0), box(100)]).frames).toEqual([0, 1]);
  });

  it('is not one on which the object is only expected', () => {
    const events = machine();
    events.update([object(1, box(50))], IMAGE, T0);
    expect(events.update([{ ...object(1, box(190)), seen: false }], IMAGE, T0 + 100)!.keep).toEqual([]);
  });

  it('is told with the time at which it was taken', () => {
    const { events } = keeps([box(50), box(50), box(100), ...times(10, box(50))]);
    expect(events.close(T0 + 1300).changes[0]!.event.best).toMatchObject({ at: T0 + 200, box: box(100).box });
  });
});

describe('a trigger', () => {
  it('starts an event at once, and it goes on until it is released', () => {
    const events = machine();
    const begun = events.trigger('door', T0, true);
    expect(begun.changes).toMatchObject([
      { phase: 'start', reason: 'triggered', event: { kind: 'trigger', name: 'door', startedAt: T0 } },
    ]);
    expect(events.tick(T0 + 60_000).changes).toEqual([]);
    const released = events.trigger('door', T0 + 61_000, false);
    expect(released.changes).toMatchObject([{ phase: 'end', reason: 'released', event: { duration: 61, endedAt: T0 + 61_000 } }]);
    expect(events.open).toBe(0);
  });

  it('that only happens is over after the end time, and goes on when it comes again before that', () => {
    const events = machine({ endSeconds: 5 });
    events.trigger('bell', T0);
    expect(events.trigger('bell', T0 + 4000).changes).toEqual([]);
    expect(events.tick(T0 + 8000).changes).toEqual([]);
    expect(events.tick(T0 + 9100).changes).toMatchObject([{ phase: 'end', reason: 'gone', event: { duration: 4 } }]);
  });

  it('shows who was seen meanwhile, beside their own events', () => {
    const events = machine({ endSeconds: 1 });
    events.update([], IMAGE, T0 - 100);
    events.trigger('door', T0, true);
    const steps = play(events, times(10, [object(7)]), 1);
    expect(steps.flatMap(({ changes }) => changes).map(({ event }) => event.kind)).toEqual(['object']);
    const { event } = events.trigger('door', T0 + 2000, false).changes[0]!;
    expect(event).toMatchObject({ kind: 'trigger', labels: { person: 1 }, trackIds: [7], best: { label: 'person' } });
  });

  it('is kept back while its name cools down, and a release of nothing is nothing', () => {
    const events = machine({ coolDownSeconds: 10 });
    events.trigger('door', T0, true);
    events.trigger('door', T0 + 1000, false);
    expect(events.trigger('door', T0 + 5000, true).changes).toEqual([]);
    expect(events.trigger('door', T0 + 6000, false).changes).toEqual([]);
    expect(events.trigger('door', T0 + 12_000, true).changes).toHaveLength(1);
  });
});

describe('bad input to events', () => {
  it('refuses a frame that is not newer', () => {
    const events = machine();
    play(events, times(3, [object(1)]));
    expect(events.update([object(1)], IMAGE, T0 + 100)).toBeNull();
  });

  it('goes on when the clock is set back by an hour: no event ends, none is a negative time long', () => {
    const events = machine();
    const steps = [
      ...play(events, times(10, [object(1)])),
      ...play(events, times(10, [object(1)]), -36_000),
      ...play(events, times(15, []), -35_990),
    ];
    expect(told(steps)).toEqual(['5 start seen', '30 end gone']);
    expect(last(steps)).toMatchObject({ startedAt: T0, duration: 1.9 });
  });

  it('ends what goes on when no frame comes any more', () => {
    const events = machine();
    play(events, times(10, [object(1)]));
    expect(events.tick(T0 + 1500).changes).toEqual([]);
    expect(events.tick(T0 + 2100).changes).toMatchObject([{ phase: 'end', reason: 'gone', event: { duration: 0.9 } }]);
    // A tick moves no clock: the frames that come late are still taken.
    expect(events.update([object(2)], IMAGE, T0 + 1000)).not.toBeNull();
  });

  it('ends everything when it is closed, and lets the pictures of the rest go', () => {
    const events = machine();
    play(events, [...times(10, [object(1), object(2)]), ...times(2, [object(1), object(2), object(3)])]);
    const { changes, forget } = events.close(T0 + 1200);
    expect(changes.map(({ phase, reason }) => `${phase} ${reason}`)).toEqual(['end closed', 'end closed']);
    expect(forget).toEqual(['event 3']);
    expect(events.close(T0 + 1300)).toEqual({ changes: [], keep: [], forget: [] });
  });

  it('leaves out detections without a box or a score', () => {
    const events = machine({ leastSeconds: 0 });
    const bad = [{ label: 'person', score: 0.9, trackId: 1 } as never, object(2, { score: Number.NaN })];
    expect(told(play(events, times(5, bad)))).toEqual([]);
  });

  it('follows two hundred at once and counts the rest', () => {
    const events = machine({ leastSeconds: 0 });
    const crowd = Array.from({ length: 500 }, (_, trackId) => object(trackId));
    play(events, times(3, crowd));
    expect(events.open).toBe(200);
    expect(events.passedOver).toBe(900);
  });

  it('says which setting is wrong', () => {
    for (const [settings, name] of [
      [{ per: 'both' as never }, 'per'],
      [{ leastScore: 2 }, 'leastScore'],
      [{ endSeconds: -1 }, 'endSeconds'],
      [{ coolDownSeconds: Number.NaN }, 'coolDownSeconds'],
      [{ mostSeconds: 0 }, 'mostSeconds'],
    ] as const) {
      expect(() => new EventMachine(settings)).toThrow(name);
    }
  });
});

import { seeded } from '../../../bench/support/random';
import { EventMachine } from '../../../core/vision/event';
import { Tracker } from '../../../core/vision/track';
import { ZoneCounter } from '../../../core/vision/zones';

const ODD = [Number.NaN, Infinity, -Infinity, 0, -1, 1e308, -1e308, 1e-320, '7', null, undefined, {}, [], true, '__proto__'];

/** Messages as no detector sends them, the same in every run. */
function* messages(seed: number, count: number) {
  const next = seeded(seed);
  const odd = () => ODD[Math.floor(next() * ODD.length)];
  const number = () => (next() < 0.1 ? odd() : next() * 1000 - 100);
  const detection = () => ({
    label: next() < 0.05 ? odd() : ['person', 'car', '__proto__'][Math.floor(next() * 3)],
    score: next() < 0.05 ? odd() : next(),
    box: next() < 0.05 ? odd() : { x: number(), y: number(), width: number(), height: number() },
    trackId: next() < 0.2 ? number() : Math.floor(next() * 9),
    zones: next() < 0.1 ? odd() : ['yard'],
  });
  let at = 1e12;
  for (let index = 0; index < count; index++) {
    at += next() < 0.05 ? (next() - 0.5) * 1e7 : next() * 300;
    const detections = Array.from({ length: Math.floor(next() * 15) }, () => (next() < 0.03 ? odd() : detection()));
    const image = next() < 0.05 ? { width: number(), height: number() } : { width: 800, height: 600 };
    yield { detections, image, at: next() < 0.03 ? odd() : at } as never as Parameters<ZoneCounter['update']>[0] & {
      image: { width: number; height: number };
      at: number;
    };
  }
}

describe('whatever comes', () => {
  it('nothing throws, and nothing that is no number goes out', () => {
    const corners = [
      { x: 0, y: 0 },
      { x: 1, y: 0 },
      { x: 1, y: 1 },
    ];
    let given = 0;
    for (let seed = 0; seed < 30; seed++) {
      const tracker = new Tracker({ mostTracks: 20, mostDetections: 30, newScore: 0.3 });
      const counter = new ZoneCounter({
        zones: [{ name: 'yard', polygon: corners }],
        lines: [{ name: 'door', from: { x: 0.5, y: 0 }, to: { x: 0.5, y: 1 } }],
      });
      const events = new EventMachine({
        per: seed % 2 ? 'scene' : 'object',
        leastSeconds: 0.2,
        loiterSeconds: 1,
        updateSeconds: 1,
        coolDownSeconds: 1,
        mostSeconds: 5,
      });
      for (const { detections, image, at } of messages(seed, 100)) {
        const tracks = tracker.update(detections, image, at);
        const zones = counter.update({ detections }, image, at);
        // What comes with a detection goes on with its track, whatever it is.
        const own = tracks && { ...tracks, detections: tracks.detections.map(({ zones: _zones, ...rest }) => rest) };
        const outputs = [own, zones && { ...zones, detections: [] }, events.update(detections, image, at), counter.tick(at)];
        outputs.push(events.trigger('door', at, seed % 3 === 0 ? undefined : given % 2 === 0), events.tick(at));
        for (const output of outputs) {
          if (output === null) continue;
          given += 1;
          expect(JSON.stringify(output)).not.toContain('null');
        }
      }
      expect(JSON.stringify(events.close(2e12))).not.toContain('null');
    }
    expect(given).toBeGreaterThan(10_000);
  });
});

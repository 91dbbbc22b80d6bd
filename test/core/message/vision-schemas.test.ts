import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Ajv2020 from 'ajv/dist/2020';
import { EventMachine } from '../../../core/vision/event';
import { Tracker } from '../../../core/vision/track';
import { ZoneCounter } from '../../../core/vision/zones';
import { ROOT } from '../../support/needs';

const schemas = ['detections-1', 'tracks-1', 'zones-1', 'event-1'].map((name) =>
  JSON.parse(readFileSync(join(ROOT, 'core', 'message', 'schemas', `${name}.json`), 'utf8')),
);
const ajv = new Ajv2020({ schemas, strict: true, strictRequired: false });
const isValid = (name: string, value: unknown) =>
  ajv.getSchema(`urn:edgeloom:schema:${name}`)!(JSON.parse(JSON.stringify(value))) as boolean;

const image = { width: 640, height: 480 };
const about = { model: 'coco@1', image };
const corner = (x: number, y: number) => ({ x, y });

/** Somebody walks in, is lost, and comes no more: what tracker, zones and events really give. */
function story() {
  const tracker = new Tracker();
  const counter = new ZoneCounter({
    zones: [{ name: 'yard', polygon: [corner(0.2, 0), corner(1, 0), corner(1, 1), corner(0.2, 1)] }],
    lines: [{ name: 'door', from: corner(0.2, 1), to: corner(0.2, 0) }],
  });
  const events = new EventMachine({ loiterSeconds: 2 });
  const frames = Array.from({ length: 120 }, (_, frame) => {
    const person = { label: 'person', score: 0.9, box: { x: 50 + 10 * frame, y: 100, width: 40, height: 100 } };
    const tracks = tracker.update(frame < 30 ? [person] : [], image, frame * 100)!;
    const zones = counter.update(tracks, image, frame * 100)!;
    return { tracks, zones, changes: events.update(zones.detections, image, frame * 100)!.changes };
  });
  return {
    tracks: frames.map(({ tracks }) => ({ schema: 'edgeloom/tracks/1', ...about, ...tracks })),
    zones: frames.map(({ zones }) => ({ schema: 'edgeloom/zones/1', ...about, ...zones })),
    events: frames.flatMap(({ changes }) => changes.map((change) => ({ schema: 'edgeloom/event/1', ...change }))),
  };
}

describe('the schemas of tracks, zones and events', () => {
  const { tracks, zones, events } = story();

  it('hold for everything that the engine gives', () => {
    for (const part of ['detections', 'lost', 'ended'] as const)
      expect(tracks.some((result) => result[part].length > 0)).toBe(true);
    const kinds = new Set(zones.flatMap(({ changes }) => changes.map(({ kind }) => kind)));
    expect(kinds).toEqual(new Set(['enter', 'leave', 'cross']));
    expect(events.map(({ phase }) => phase)).toEqual(expect.arrayContaining(['start', 'update', 'end']));
    for (const result of tracks) expect(isValid('tracks-1', result)).toBe(true);
    for (const result of zones) expect(isValid('zones-1', result)).toBe(true);
    for (const result of events) expect(isValid('event-1', result)).toBe(true);
  });

  it('hold for tracks where detections are taken: tracks are detections that say more', () => {
    for (const result of tracks) expect(isValid('detections-1', { ...result, schema: 'edgeloom/detections/1' })).toBe(true);
  });

  it('refuse what lacks a field or has another kind of value', () => {
    const seen = tracks[5]!;
    for (const field of ['trackId', 'speed', 'label', 'seen'] as const) {
      const { [field]: _left, ...track } = seen.detections[0]!;
      expect(isValid('tracks-1', { ...seen, detections: [track] })).toBe(false);
    }
    expect(isValid('tracks-1', { ...seen, lost: [{ trackId: 1 }] })).toBe(false);
    expect(isValid('zones-1', { ...zones[5]!, zones: [{ name: 'yard' }] })).toBe(false);
    expect(isValid('zones-1', { ...zones[5]!, changes: [{ kind: 'jump', trackId: 1, label: 'person' }] })).toBe(false);
    expect(isValid('event-1', { ...events[0]!, phase: 'middle' })).toBe(false);
    expect(isValid('event-1', { ...events[0]!, event: { ...events[0]!.event, startedAt: 'today' } })).toBe(false);
  });
});

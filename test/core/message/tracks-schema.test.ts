import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Ajv2020 from 'ajv/dist/2020';
import { Tracker } from '../../../core/vision/track';
import { ROOT } from '../../support/needs';

const schemas = ['detections-1', 'tracks-1'].map((name) =>
  JSON.parse(readFileSync(join(ROOT, 'core', 'message', 'schemas', `${name}.json`), 'utf8')),
);
const valid = new Ajv2020({ schemas, strict: true, strictRequired: false }).getSchema('urn:edgeloom:schema:tracks-1')!;
const image = { width: 640, height: 480 };
const person = { label: 'person', score: 0.9, box: { x: 50, y: 100, width: 40, height: 100 } };

/** Seen, lost and ended, as the tracker really gives them. */
function results() {
  const tracker = new Tracker();
  return Array.from({ length: 60 }, (_, frame) => ({
    schema: 'edgeloom/tracks/1',
    model: 'coco@1',
    image,
    ...tracker.update(frame < 10 ? [person] : [], image, frame * 100)!,
  }));
}

describe('the schema of tracks', () => {
  it('holds for everything a tracker gives', () => {
    const given = results();
    expect(given.some(({ detections }) => detections.length > 0)).toBe(true);
    expect(given.some(({ lost }) => lost.length > 0)).toBe(true);
    expect(given.some(({ ended }) => ended.length > 0)).toBe(true);
    for (const result of given) expect(valid(JSON.parse(JSON.stringify(result)))).toBe(true);
  });

  it('refuses a track without a number, a speed or a label', () => {
    const seen = results()[5]!;
    for (const field of ['trackId', 'speed', 'label', 'seen'] as const) {
      const { [field]: _left, ...track } = seen.detections[0]!;
      expect(valid({ ...seen, detections: [track] })).toBe(false);
    }
    expect(valid({ ...seen, lost: [{ trackId: 1 }] })).toBe(false);
  });
});

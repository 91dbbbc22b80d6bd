import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Ajv2020 from 'ajv/dist/2020';
import { bare, bestLabel, envelope } from '../../../core/delivery/payload';
import { EdgeError } from '../../../core/errors';
import { makeFrame } from '../../../core/message/frame';
import type { Provenance } from '../../../core/message/provenance';
import { makeTensor } from '../../../core/message/tensor';
import { ROOT } from '../../support/needs';

const RESULTS = ['detections', 'poses', 'classification', 'segmentation', 'embedding', 'tracks', 'zones', 'event'];
const schemas = [...RESULTS, 'message'].map((name) =>
  JSON.parse(readFileSync(join(ROOT, 'core', 'message', 'schemas', `${name}-1.json`), 'utf8')),
);
const ajv = new Ajv2020({ schemas, strict: true, allErrors: true, strictRequired: false });
const valid = (value: unknown, schema = 'message-1') => {
  const check = ajv.getSchema(`urn:edgeloom:schema:${schema}`)!;
  return check(value) ? [] : check.errors!.map(({ instancePath, message }) => `${instancePath} ${message}`);
};

const from: Provenance = { source: 'gate', sequence: 3, capturedAt: 1_700_000_000_123.4, timings: {} };
const detections = {
  schema: 'edgeloom/detections/1',
  model: 'coco@1',
  image: { width: 640, height: 480 },
  detections: [{ label: 'person', score: 0.9, box: { x: 1, y: 2, width: 30, height: 40 }, trackId: 4, zones: ['door'] }],
};
const classes = { schema: 'edgeloom/classification/1', model: 'm@1', classes: [{ label: 'dog', score: 0.7 }] };
const poses = {
  ...detections,
  schema: 'edgeloom/poses/1',
  detections: [
    {
      ...detections.detections[0],
      keypoints: [
        { name: 'nose', x: -1, y: 2.5, score: 0.5 },
        { x: 3, y: 4 },
      ],
    },
  ],
  skeleton: [[0, 1]],
};
const segmentation = {
  schema: 'edgeloom/segmentation/1',
  model: 'm@1',
  image: { width: 640, height: 480 },
  classes: [{ class: 1, label: 'road', share: 0.25 }],
  mask: { width: 2, height: 2, encoding: 'runs', runs: [0, 3, 1, 1] },
};
const embedding = { schema: 'edgeloom/embedding/1', model: 'm@1', image: { width: 64, height: 64 }, vector: [0.6, -0.8] };
const published = (value: unknown, picture?: { contentType: 'image/jpeg'; jpeg: Buffer }) =>
  JSON.parse(envelope(value, from, picture).payload.toString()) as Record<string, unknown>;
const codeOf = (action: () => unknown) => {
  try {
    action();
  } catch (thrown) {
    return thrown instanceof EdgeError ? thrown.code : `not an EdgeError: ${thrown}`;
  }
  return 'no error';
};

describe('the published envelope', () => {
  it('holds a result beside where it came from, by the schemas', () => {
    const sent = published(detections);
    expect(sent).toEqual({ ...detections, source: 'gate', sequence: 3, capturedAt: 1_700_000_000_123 });
    expect(valid(sent)).toEqual([]);
    for (const result of [classes, poses, segmentation, embedding]) {
      expect(valid(published(result))).toEqual([]);
      expect(valid(result, `${result.schema.split('/')[1]}-1`)).toEqual([]);
    }
    expect(valid(detections, 'detections-1')).toEqual([]);
    expect(valid(classes, 'classification-1')).toEqual([]);
  });

  it('holds any other value under payload', () => {
    for (const value of [71.5, 'text', true, null, [1, 2], { a: { b: 1 } }]) {
      const sent = published(value);
      expect(sent).toMatchObject({ schema: 'edgeloom/message/1', payload: value });
      expect(valid(sent)).toEqual([]);
    }
  });

  it('attaches a picture only when it is given one', () => {
    const jpeg = Buffer.from([0xff, 0xd8, 0xff, 0xe0]);
    const sent = published(detections, { contentType: 'image/jpeg', jpeg });
    expect(sent.picture).toEqual({ contentType: 'image/jpeg', data: jpeg.toString('base64') });
    expect(valid(sent)).toEqual([]);
  });

  it('never serialises pixels', () => {
    const frame = makeFrame(new Uint8Array(300).fill(7), 'rgb8', 10, 10);
    const text = envelope({ frame, raw: Buffer.alloc(500, 7), buffer: new ArrayBuffer(500) }, from).payload.toString();
    expect(text).not.toContain('7,7');
    expect(JSON.parse(text).payload).toMatchObject({
      frame: { kind: 'frame', width: 10 },
      raw: { bytes: 500 },
      buffer: { bytes: 500 },
    });
    expect(codeOf(() => envelope(Buffer.alloc(10), from))).toBe('EDGE_PUBLISH_PAYLOAD');
  });

  it("gives a tensor's numbers", () => {
    const tensor = makeTensor({ type: 'float32', shape: [1, 3], data: new Float32Array([0.5, Number.NaN, 2]) });
    expect(published({ out: tensor }).payload).toEqual({ out: { type: 'float32', shape: [1, 3], data: [0.5, null, 2] } });
  });

  it('does not let a payload pose as another source', () => {
    const sent = published({ ...detections, source: 'elsewhere', sequence: -1, capturedAt: 'now' });
    expect(sent).toMatchObject({ source: 'gate', sequence: 3, capturedAt: 1_700_000_000_123 });
  });
});

describe('the schemas refuse', () => {
  const whole = { ...detections, source: 'gate', sequence: 3, capturedAt: 5 };
  const origin = { source: 'gate', sequence: 3, capturedAt: 5 };
  const box = whole.detections[0]!;
  it.each<[string, unknown]>([
    ['a message without a source', { ...whole, source: undefined }],
    ['a sequence that is no whole number', { ...whole, sequence: 1.5 }],
    ['a time that is a text', { ...whole, capturedAt: '2026' }],
    ['a schema of no such form', { ...whole, schema: 'mine' }],
    ['a score above 1', { ...whole, detections: [{ ...box, score: 1.2 }] }],
    ['a box without a height', { ...whole, detections: [{ ...box, box: { x: 1, y: 1, width: 1 } }] }],
    ['a negative width', { ...whole, detections: [{ ...box, box: { x: 1, y: 1, width: -1, height: 1 } }] }],
    ['a detection without a label', { ...whole, detections: [{ score: 1, box: box.box }] }],
    ['a picture without data', { ...whole, picture: { contentType: 'image/jpeg' } }],
    ['classes that are no list', { ...classes, source: 'g', sequence: 0, capturedAt: 0, classes: {} }],
    ['a limb of three points', { ...poses, ...origin, skeleton: [[0, 1, 2]] }],
    ['a joint without a place', { ...poses, ...origin, detections: [{ ...box, keypoints: [{ name: 'nose' }] }] }],
    ['a share above 1', { ...segmentation, ...origin, classes: [{ class: 1, label: 'road', share: 2 }] }],
    ['a mask in another encoding', { ...segmentation, ...origin, mask: { ...segmentation.mask, encoding: 'png' } }],
    ['an embedding that is not of length 1', { ...embedding, ...origin, vector: [7] }],
    ['a bare message without a payload', { schema: 'edgeloom/message/1', source: 'g', sequence: 0, capturedAt: 0 }],
  ])('%s', (_name, wrong) => {
    expect(valid(JSON.parse(JSON.stringify(wrong)))).not.toEqual([]);
  });
});

describe('a hostile payload', () => {
  it('that refers to itself, has no bottom, or throws gives one code', () => {
    const circle: Record<string, unknown> = {};
    circle.self = { circle };
    const bottomless = { toJSON: () => ({ toJSON: bottomless.toJSON }) };
    let deep: unknown = 1;
    for (let level = 0; level < 10_000; level += 1) deep = [deep];
    const trap = {
      get value() {
        throw new TypeError('trap');
      },
    };
    const proxy = new Proxy(
      {},
      {
        ownKeys: () => ['a'],
        getOwnPropertyDescriptor: () => {
          throw new Error('no');
        },
      },
    );
    for (const value of [circle, bottomless, deep, trap, proxy])
      expect(codeOf(() => envelope(value, from))).toBe('EDGE_PUBLISH_PAYLOAD');
  });

  it('that is huge is refused before it is written', () => {
    const huge = [
      new Array(1e9),
      new Float64Array(1e7),
      'x'.repeat(5 * 2 ** 20),
      Array.from({ length: 2000 }, () => 'y'.repeat(5000)),
    ];
    for (const value of huge) expect(codeOf(() => envelope({ value }, from))).toBe('EDGE_PUBLISH_PAYLOAD');
    expect(codeOf(() => bare(Buffer.alloc(5 * 2 ** 20)))).toBe('EDGE_PUBLISH_PAYLOAD');
  });

  it('with __proto__ keys pollutes nothing and sends none', () => {
    const value = JSON.parse('{"__proto__": {"polluted": 1}, "a": {"__proto__": {"polluted": 2}, "b": 1}, "constructor": 3}');
    const text = envelope(value, from).payload.toString();
    expect(text).not.toContain('polluted');
    expect(JSON.parse(text).payload).toEqual({ a: { b: 1 }, constructor: 3 });
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it('with BigInt, NaN, dates and functions is still JSON', () => {
    const value = { small: 5n, large: 2n ** 70n, nan: Number.NaN, at: new Date(0), run() {}, none: undefined };
    expect(published(value).payload).toEqual({ small: 5, large: String(2n ** 70n), nan: null, at: '1970-01-01T00:00:00.000Z' });
  });

  it('that shares one object twice is not taken for a circle', () => {
    const shared = { a: 1 };
    expect(published([shared, shared]).payload).toEqual([shared, shared]);
  });
});

describe('a bare payload', () => {
  it('is bytes, text or JSON by what it is', () => {
    expect(bare(Buffer.from([1, 2]))).toEqual({ payload: Buffer.from([1, 2]), contentType: 'application/octet-stream' });
    expect(bare('on').payload.toString()).toBe('on');
    expect(bare(21.5).payload.toString()).toBe('21.5');
    expect(bare({ a: 1 })).toEqual({ payload: Buffer.from('{"a":1}'), contentType: 'application/json' });
    expect(codeOf(() => bare(undefined))).toBe('EDGE_PUBLISH_PAYLOAD');
  });
});

test('the best label is the one with the highest score', () => {
  expect(bestLabel({ detections: [{ label: 'cat', score: 0.2 }, { label: 'dog', score: 0.8 }, null] })).toBe('dog');
  expect(bestLabel(classes)).toBe('dog');
  expect(bestLabel({ detections: [] })).toBeUndefined();
  expect(bestLabel(3)).toBeUndefined();
});

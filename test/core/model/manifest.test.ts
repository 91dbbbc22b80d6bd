import type { Manifest } from '../../../core/model/manifest';
import { missingFields, parseManifest, parsePartialManifest } from '../../../core/model/parse-manifest';

const whole: Manifest = {
  id: 'yolox-nano',
  version: '1',
  title: 'YOLOX-nano',
  task: 'detection',
  licence: { id: 'Apache-2.0', commercialUse: true },
  source: 'https://example.org/yolox.onnx',
  input: {
    kind: 'image',
    width: 416,
    height: 416,
    layout: 'NCHW',
    colours: 'bgr',
    mean: [0, 0, 0],
    scale: [1, 1, 1],
    fit: 'letterbox',
  },
  output: { head: 'yolox', parameters: { strides: [8, 16, 32] } },
  labels: ['person', ''],
  quantization: 'none',
};

/** As it comes from a file. */
const json = (change: object): unknown => JSON.parse(JSON.stringify({ ...whole, ...change }));
const refused = (value: unknown): string => {
  try {
    parseManifest(value, 'model.json');
  } catch (error) {
    expect(error).toMatchObject({ code: 'EDGE_MODEL_MANIFEST' });
    return (error as Error).message;
  }
  throw new Error('it was taken');
};

describe('a manifest', () => {
  it('is taken whole, and comes out as it went in', () => {
    expect(parseManifest(json({}), 'model.json')).toEqual(whole);
  });

  it('may have golden samples: a picture or numbers, and what comes of them', () => {
    const golden = [
      {
        input: 'golden/person.jpg',
        expected: { detections: [{ label: 'person', score: 0.8, box: { x: 1, y: 2, width: 30, height: 40 } }] },
        scoreFrom: 0.6,
        tolerance: { score: 0.2, overlap: 0.5 },
      },
      { input: [[1, 2, 3]], expected: { tensors: { y: [0.5] } }, tolerance: { absolute: 1e-4, relative: 0 } },
      { input: { a: [1], b: 2 }, expected: { classes: [{ label: 'ok', score: 1 }] } },
    ];
    expect(parseManifest(json({ golden }), 'model.json').golden).toEqual(golden);
  });

  const golden = (change: object) => json({ golden: [{ input: 'a.jpg', expected: { classes: [] }, ...change }] });
  it.each([
    ['no list', json({ golden: {} }), /golden: expected a list of at most 32 samples/],
    ['too many', json({ golden: new Array(33).fill({}) }), /golden: expected a list of at most 32 samples/],
    ['no input', golden({ input: undefined }), /golden\[0\]\.input: expected a file in the model's folder, or numbers/],
    ['a path that leads out', golden({ input: '../../etc/passwd' }), /golden\[0\]\.input: expected a file/],
    ['a whole path', golden({ input: '/etc/passwd' }), /golden\[0\]\.input: expected a file/],
    ['an address', golden({ input: 'https://example.org/a.jpg' }), /golden\[0\]\.input: expected a file/],
    ['a path of Windows', golden({ input: '..\\a.jpg' }), /golden\[0\]\.input: expected a file/],
    ['nothing expected', golden({ expected: {} }), /golden\[0\]\.expected: expected fields of the result/],
    [
      'a box without sides',
      golden({ expected: { detections: [{ label: 'a', score: 1, box: {} }] } }),
      /box\.x: expected a number/,
    ],
    ['a score beyond 1', golden({ expected: { classes: [{ label: 'a', score: 2 }] } }), /classes\[0\]\.score: expected a number/],
    ['an unknown tolerance', golden({ tolerance: { pixels: 3 } }), /golden\[0\]\.tolerance\.pixels is not a known field/],
  ])('refuses golden samples with %s', (_what, value, message) => {
    expect(refused(value)).toMatch(message);
  });

  it('may be partial where the model file can tell the rest', () => {
    expect(parsePartialManifest({}, 'model.json')).toEqual({});
    expect(parsePartialManifest({ labels: ['cat'], output: { scoreThreshold: 0.5 } }, 'model.json')).toEqual({
      labels: ['cat'],
      output: { scoreThreshold: 0.5 },
    });
  });

  it.each([
    ['no object', 'a text', /the whole: expected an object/],
    ['null', null, /the whole: expected an object/],
    ['a list', [], /the whole: expected an object/],
    ['an unknown field', json({ colour: 'rgb' }), /colour is not a known field; known are id, version/],
    ['an unknown field inside', json({ input: { ...whole.input, color: 'rgb' } }), /input\.color is not a known field/],
    ['a number for a text', json({ title: 5 }), /title: expected a text of 1 to 120 characters, got 5/],
    ['an id with a slash', json({ id: '../../etc' }), /id: expected lower-case/],
    ['an absurd size', json({ input: { ...whole.input, width: 1e9 } }), /input\.width: expected a whole number from 1 to 8192/],
    ['a fraction of a pixel', json({ input: { ...whole.input, width: 0.5 } }), /input\.width/],
    [
      'a score above 1',
      json({ output: { head: 'yolox', scoreThreshold: 2 } }),
      /output\.scoreThreshold: expected a number from 0 to 1/,
    ],
    ['too few means', json({ input: { ...whole.input, mean: [0] } }), /input\.mean: expected 3 numbers/],
    ['a mean that is no number', json({ input: { ...whole.input, mean: [0, 0, 'x'] } }), /input\.mean/],
    ['labels that are no list', json({ labels: 'person' }), /labels: expected a list/],
    ['a label that is no text', json({ labels: ['person', 7] }), /labels\[1\]: expected a text, got 7/],
    ['too many labels', json({ labels: Array.from({ length: 70_000 }, () => 'x') }), /labels: expected a list of at most/],
    [
      'another task',
      json({ task: 'translation' }),
      /task: expected one of detection, pose, classification, segmentation, embedding, tensors/,
    ],
    ['a short hash', json({ sha256: 'abc' }), /sha256: expected 64 hexadecimal digits/],
    ['a licence without its id', json({ licence: { commercialUse: true } }), /licence\.id/],
    ['a raw input with pixels', json({ input: { kind: 'raw', width: 5 } }), /input\.width is not a known field/],
    ['parameters without end', json({ output: { head: 'yolox', parameters: { x: 'y'.repeat(70_000) } } }), /longer than/],
  ])('refuses %s and names it', (_name, value, sentence) => {
    expect(refused(value)).toMatch(sentence);
    expect(refused(value)).toContain('model.json');
  });

  it('lets no __proto__ through', () => {
    expect(refused(JSON.parse('{"__proto__": {"polluted": true}}'))).toMatch(/__proto__ is not a known field/);
    const inside = JSON.parse(`{"output": {"head": "yolox", "parameters": {"__proto__": {"polluted": true}}}}`);
    expect(refused({ ...whole, ...inside })).toMatch(/__proto__/);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it('names everything that is missing at once', () => {
    expect(refused({ input: { kind: 'image', width: 10 } })).toMatch(
      /task, input\.height, input\.layout.*output\.head.*licence.*id/,
    );
    expect(missingFields({ task: 'tensors' })).toEqual([]);
    expect(missingFields({ task: 'detection' })).toEqual(['input', 'output.head']);
  });
});

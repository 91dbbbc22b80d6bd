import { exporterFacts } from '../../../core/model/exporter';
import { PythonPairs, pythonLiteral } from '../../../core/model/python-literal';

describe('a literal of Python', () => {
  it.each<[string, unknown]>([
    ["'it\\'s'", "it's"],
    ['"driver\'s cab"', "driver's cab"],
    ["'caf\\xe9 \\u4eba \\U0001f600'", 'café 人 😀'],
    ["'C:\\dir'", 'C:\\dir'],
    ['[640, 640]', [640, 640]],
    ['(17, 3,)', [17, 3]],
    ['-1.5e3', -1500],
    ['[True, False, None]', [true, false, null]],
    ['[]', []],
    [" {\n 0 : 'a' } ", new PythonPairs([[0, 'a']])],
    [
      '{"0": "a", "1": ["b"]}',
      new PythonPairs([
        ['0', 'a'],
        ['1', ['b']],
      ]),
    ],
    ["{'__proto__': 1}", new PythonPairs([['__proto__', 1]])],
  ])('is read as what it means: %s', (text, value) => {
    expect(pythonLiteral(text)).toEqual(value);
  });

  it.each([
    '',
    'person',
    '__import__("os").system("true")',
    '{0: "a"',
    "{0: 'a', 1}",
    "['a' 'b']",
    '[1, 2] + [3]',
    "'open",
    "'\\x1'",
    '0x10',
    '1_000',
    '{'.repeat(100),
    '['.repeat(8) + ']'.repeat(8),
    `[${'1,'.repeat(200_000)}]`,
    `'${'a'.repeat(1_000_001)}'`,
  ])('is nothing else: %.40s', (text) => {
    expect(pythonLiteral(text)).toBeUndefined();
  });
});

describe('what an exporter wrote', () => {
  it('is read off its words', () => {
    const properties = {
      description: 'Ultralytics YOLO11n-pose model',
      task: 'pose',
      stride: '32',
      imgsz: '[480, 640]',
      names: "{0: 'person'}",
      end2end: 'False',
      kpt_shape: '[17, 3]',
      batch: '1',
    };
    expect(exporterFacts(properties)).toEqual({
      task: 'pose',
      stride: 32,
      size: { width: 640, height: 480 },
      names: ['person'],
      endToEnd: false,
      keypointShape: [17, 3],
      unread: [],
    });
    expect(exporterFacts({ names: "['a', 'b']", imgsz: '320' })).toMatchObject({
      names: ['a', 'b'],
      size: { width: 320, height: 320 },
    });
  });

  it('is left out and named where it is not what it should be', () => {
    const properties = { task: '<b>', stride: '-1', imgsz: '[0, 640]', names: "{1: 'a'}", end2end: '1', kpt_shape: '[17, 9]' };
    expect(exporterFacts(properties)).toEqual({ unread: ['names', 'stride', 'imgsz', 'end2end', 'kpt_shape'] });
    expect(exporterFacts({ names: "{0: 'a', 2: 'b'}" }).unread).toEqual(['names']);
    expect(exporterFacts({ names: '{0: 5}' }).unread).toEqual(['names']);
    expect(exporterFacts(Object.create({ names: "{0: 'inherited'}" }))).toEqual({ unread: [] });
  });
});

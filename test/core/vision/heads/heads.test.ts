import type { TensorInfo, TensorValue } from '../../../../core/message/tensor';
import { HEADS, headNamed, headOf } from '../../../../core/vision/heads';

type Values = Record<string, { shape: number[]; set?: Record<string, number>; fill?: number }>;

/** Outputs of zeros (or `fill`) with single values set by "index,index,..". */
function outputs(values: Values): Record<string, TensorValue> {
  return Object.fromEntries(
    Object.entries(values).map(([name, { shape, set = {}, fill = 0 }]) => {
      const data = new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(fill);
      for (const [at, value] of Object.entries(set)) {
        data[at.split(',').reduce((flat, index, axis) => flat * shape[axis]! + Number(index), 0)] = value;
      }
      return [name, { type: 'float32', shape, data } satisfies TensorValue];
    }),
  );
}

const settings = (head: string, more = {}) => ({ head, scoreThreshold: 0.3, iouThreshold: 0.5, ...more });
const near = (box: { x: number; y: number; width: number; height: number }) => ({
  x: expect.closeTo(box.x, 3),
  y: expect.closeTo(box.y, 3),
  width: expect.closeTo(box.width, 3),
  height: expect.closeTo(box.height, 3),
});

/** One made-up object for every family: what the graph would give and the box that its paper says this means. */
const FAMILIES: Record<
  string,
  {
    input: { width: number; height: number };
    values: Values;
    labels: string[];
    expected: { label: string; score: number; box: { x: number; y: number; width: number; height: number } };
    /** Where a NaN must be found. */
    nanAt: [string, string];
    parameters?: Record<string, unknown>;
  }
> = {
  yolox: {
    input: { width: 64, height: 32 },
    // Stride 8 has 8x4 cells; cell 10 is column 2, row 1.
    values: {
      output: {
        shape: [1, 42, 7],
        set: { '0,10,0': 0.5, '0,10,1': 0.25, '0,10,2': Math.log(2), '0,10,3': 0, '0,10,4': 0.9, '0,10,5': 0.1, '0,10,6': 0.8 },
      },
    },
    labels: ['cat', 'dog'],
    expected: { label: 'dog', score: 0.72, box: { x: 12, y: 6, width: 16, height: 8 } },
    nanAt: ['output', '0,3,4'],
  },
  yolov8: {
    input: { width: 64, height: 32 },
    values: {
      output0: { shape: [1, 6, 42], set: { '0,0,5': 30, '0,1,5': 20, '0,2,5': 10, '0,3,5': 8, '0,5,5': 0.6, '0,4,5': 0.2 } },
    },
    labels: ['cat', 'dog'],
    expected: { label: 'dog', score: 0.6, box: { x: 25, y: 16, width: 10, height: 8 } },
    nanAt: ['output0', '0,4,9'],
  },
  nanodet: {
    input: { width: 64, height: 32 },
    // One bin far above the others is a distance without doubt. Stride 16 has 4x2 cells; cell 6 is column 2, row 1.
    values: {
      cls_pred_stride_8: { shape: [1, 32, 2] },
      dis_pred_stride_8: { shape: [1, 32, 32] },
      cls_pred_stride_16: { shape: [1, 8, 2], set: { '0,6,0': 0.7 } },
      dis_pred_stride_16: { shape: [1, 8, 32], set: { '0,6,1': 50, '0,6,10': 50, '0,6,16': 50, '0,6,27': 50 } },
      cls_pred_stride_32: { shape: [1, 2, 2] },
      dis_pred_stride_32: { shape: [1, 2, 32] },
    },
    labels: ['cat', 'dog'],
    // Centre (39.5, 23.5); 1 stride left, 2 up, 0 right, 3 down.
    expected: { label: 'cat', score: 0.7, box: { x: 23.5, y: -8.5, width: 16, height: 80 } },
    nanAt: ['cls_pred_stride_8', '0,3,1'],
  },
  fastestdet: {
    input: { width: 64, height: 32 },
    values: {
      758: {
        shape: [1, 7, 2, 4],
        set: {
          '0,0,1,2': 0.8,
          '0,1,1,2': Math.atanh(0.5),
          '0,2,1,2': 0,
          '0,3,1,2': 0,
          '0,4,1,2': Math.log(1 / 3),
          '0,6,1,2': 0.5,
        },
      },
    },
    labels: ['cat', 'dog'],
    // Centre ((2 + 0.5) / 4, 1 / 2); half the width, a quarter of the height.
    expected: { label: 'dog', score: 0.8 ** 0.6 * 0.5 ** 0.4, box: { x: 24, y: 12, width: 32, height: 8 } },
    nanAt: ['758', '0,0,0,1'],
  },
  yunet: {
    input: { width: 64, height: 32 },
    values: {
      cls_8: { shape: [1, 32, 1], set: { '0,9,0': 0.9 } },
      obj_8: { shape: [1, 32, 1], set: { '0,9,0': 0.4 } },
      bbox_8: { shape: [1, 32, 4], set: { '0,9,0': 0.5, '0,9,1': 0.5, '0,9,2': Math.log(3), '0,9,3': Math.log(2) } },
      kps_8: { shape: [1, 32, 10], set: { '0,9,0': 0.25, '0,9,9': 2 } },
      cls_16: { shape: [1, 8, 1] },
      obj_16: { shape: [1, 8, 1] },
      bbox_16: { shape: [1, 8, 4] },
      kps_16: { shape: [1, 8, 10] },
      cls_32: { shape: [1, 2, 1] },
      obj_32: { shape: [1, 2, 1] },
      bbox_32: { shape: [1, 2, 4] },
      kps_32: { shape: [1, 2, 10] },
    },
    labels: ['face'],
    // Cell 9 is column 1, row 1: centre (12, 12), 24 by 16.
    expected: { label: 'face', score: 0.6, box: { x: 0, y: 4, width: 24, height: 16 } },
    nanAt: ['obj_16', '0,0,0'],
  },
  ultraface: {
    input: { width: 64, height: 64 },
    // 64x64 has 8*8*3 + 4*4*2 + 2*2*2 + 1*1*3 anchors.
    values: {
      scores: { shape: [1, 235, 2], set: { '0,7,1': 0.9 } },
      boxes: { shape: [1, 235, 4], set: { '0,7,0': 0.25, '0,7,1': 0.5, '0,7,2': 0.5, '0,7,3': 0.75 } },
    },
    labels: ['face'],
    expected: { label: 'face', score: 0.9, box: { x: 16, y: 32, width: 16, height: 16 } },
    nanAt: ['scores', '0,4,1'],
  },
  ssd: {
    input: { width: 300, height: 300 },
    values: {
      scores: { shape: [1, 20, 4], set: { '0,7,3': 0.9, '0,8,2': 0.95 } },
      boxes: {
        shape: [1, 20, 4],
        set: { '0,7,0': 0.1, '0,7,1': 0.2, '0,7,2': 0.4, '0,7,3': 0.6, '0,8,2': 0.5, '0,8,3': 0.5 },
      },
    },
    // The third class is one that the data set never used: anchor 8 is not reported however sure it is.
    labels: ['person', 'bicycle', '', 'car'],
    expected: { label: 'car', score: 0.9, box: { x: 60, y: 30, width: 120, height: 90 } },
    nanAt: ['scores', '0,4,1'],
  },
};

it('has a made-up object for every family of the table', () => {
  expect(Object.keys(FAMILIES).sort()).toEqual(HEADS.map((head) => head.id).sort());
});

describe.each(Object.entries(FAMILIES))('the %s head', (id, { input, values, labels, expected, nanAt, parameters }) => {
  const head = headNamed(id);
  const context = { input, labels, settings: settings(id, parameters ? { parameters } : {}) };
  const infos = (found: Record<string, TensorValue>): TensorInfo[] =>
    Object.entries(found).map(([name, { type, shape }]) => ({ name, type, shape }));
  const pictures: TensorInfo[] = [{ name: 'images', type: 'float32', shape: [1, 3, input.height, input.width] }];

  it('decodes the object and nothing else', () => {
    const found = head.decode(outputs(values), context);
    expect(found).toEqual([
      expect.objectContaining({ label: expected.label, score: expect.closeTo(expected.score, 5), box: near(expected.box) }),
    ]);
  });

  it('reports nothing below the score threshold', () => {
    const strict = { ...context, settings: { ...context.settings, scoreThreshold: 0.99 } };
    expect(head.decode(outputs(values), strict)).toEqual([]);
  });

  it('reports only the labels that are asked for', () => {
    expect(head.decode(outputs(values), { ...context, only: new Set(['zebra']) })).toEqual([]);
    expect(head.decode(outputs(values), { ...context, only: new Set([expected.label]) })).toHaveLength(1);
  });

  it('names classes by number where there are no labels', () => {
    const [first] = head.decode(outputs(values), { ...context, labels: [] });
    expect(first!.label).toMatch(/^class \d+$/);
  });

  it('knows its own signature, whatever the layout of the input, and no other family claims it', () => {
    const found = infos(outputs(values));
    const rows: TensorInfo[] = [{ name: 'images', type: 'uint8', shape: [1, input.height, input.width, 3] }];
    expect(headOf(pictures, found)?.id).toBe(id);
    expect(headOf(rows, found)?.id).toBe(id);
  });

  it('does not claim outputs whose sizes vary or that are missing', () => {
    const found = infos(outputs(values));
    expect(
      headOf(
        pictures,
        found.map((info) => ({ ...info, shape: info.shape.map(() => 'n') })),
      ),
    ).toBeNull();
    expect(headOf(pictures, found.slice(1))).toBeNull();
  });

  it('counts the classes of its outputs', () => {
    expect(head.classCount(outputs(values))).toBe(labels.length);
  });

  it('refuses outputs of another shape, another type, and missing ones', () => {
    const wrong = { code: 'EDGE_MODEL_OUTPUT_SHAPE' };
    const good = outputs(values);
    const [name, value] = Object.entries(good)[0]!;
    const data = value.data as Float32Array<ArrayBuffer>;
    const broken: Record<string, TensorValue>[] = [
      {},
      { ...good, [name]: { ...value, shape: [1, 1, 1, 1, data.length] } },
      { ...good, [name]: { ...value, data: data.subarray(1) } },
      { ...good, [name]: { type: 'int32', shape: value.shape, data: Int32Array.from(data) } },
      { ...good, [name]: { type: 'float32', shape: value.shape.map(() => 1), data: new Float32Array(1) } },
    ];
    for (const output of broken) expect(() => head.decode(output, context)).toThrow(expect.objectContaining(wrong));
  });

  it('refuses NaN', () => {
    const [name, at] = nanAt;
    const withNaN = { ...values, [name]: { ...values[name]!, set: { ...values[name]!.set, [at]: Number.NaN } } };
    expect(() => head.decode(outputs(withNaN), context)).toThrow(
      expect.objectContaining({ code: 'EDGE_MODEL_OUTPUT_NOT_FINITE' }),
    );
  });

  it('stays whole and bounded on random outputs', () => {
    const noise = outputs(values);
    let seed = 7;
    const random = () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed / 2 ** 31;
    };
    for (const value of Object.values(noise)) for (let i = 0; i < value.data.length; i++) value.data[i] = random();
    const found = head.decode(noise, { ...context, settings: { ...context.settings, scoreThreshold: 0, maxDetections: 20 } });
    expect(found.length).toBeLessThanOrEqual(20);
    for (const { score, box } of found) {
      expect(score).toBeGreaterThanOrEqual(0);
      expect(score).toBeLessThanOrEqual(1);
      expect(box.width).toBeGreaterThan(0);
      expect(box.height).toBeGreaterThan(0);
    }
  });

  it('reads half precision and gives the same', () => {
    const halves = Object.fromEntries(
      Object.entries(outputs(values)).map(([name, { shape, data }]) => [
        name,
        { type: 'float16' as const, shape, data: Uint16Array.from(data as Float32Array, half) },
      ]),
    );
    const [found] = head.decode(halves, context);
    expect(found!.label).toBe(expected.label);
    expect(found!.score).toBeCloseTo(expected.score, 2);
  });
});

describe('the yolov8 head', () => {
  const { input, values, labels, expected } = FAMILIES.yolov8!;

  it('reads the transposed layout', () => {
    const { data } = outputs(values).output0!;
    const turned = new Float32Array(6 * 42);
    for (let row = 0; row < 6; row++)
      for (let anchor = 0; anchor < 42; anchor++) turned[anchor * 6 + row] = Number(data[row * 42 + anchor]);
    const output: Record<string, TensorValue> = { output0: { type: 'float32', shape: [1, 42, 6], data: turned } };
    const [found] = headNamed('yolov8').decode(output, { input, labels, settings: settings('yolov8') });
    expect(found).toMatchObject({ label: expected.label, box: near(expected.box) });
  });

  it('says what to set when scores are no probabilities, and reads them when it is set', () => {
    const logits = { output0: { ...values.output0!, set: { ...values.output0!.set, '0,4,5': -9, '0,5,5': 3 }, fill: -20 } };
    const context = { input, labels, settings: settings('yolov8') };
    expect(() => headNamed('yolov8').decode(outputs(logits), context)).toThrow(/logits/);
    const told = { ...context, settings: settings('yolov8', { parameters: { logits: true } }) };
    const [found] = headNamed('yolov8').decode(outputs(logits), told);
    expect(found).toMatchObject({ label: 'dog', score: expect.closeTo(1 / (1 + Math.exp(-3)), 5) });
  });
});

describe('the ssd head', () => {
  it('takes the best class of an anchor, or every class where the manifest says so', () => {
    const boxes = { shape: [1, 1, 4], set: { '0,0,2': 1, '0,0,3': 1 } };
    const found = outputs({ scores: { shape: [1, 1, 3], set: { '0,0,0': 0.5, '0,0,2': 0.8 } }, boxes });
    const labelsWith = (parameters: Record<string, unknown>) =>
      headNamed('ssd')
        .decode(found, { input: { width: 300, height: 300 }, labels: ['a', 'b', 'c'], settings: settings('ssd', { parameters }) })
        .map((detection) => detection.label);
    expect(labelsWith({})).toEqual(['c']);
    expect(labelsWith({ multiLabel: true })).toEqual(['c', 'a']);
  });
});

describe('a score threshold', () => {
  const input = { width: 300, height: 300 };
  const reported = (value: number, scoreThreshold: number, parameters = {}) => {
    const boxes = { shape: [1, 1, 4], set: { '0,0,2': 1, '0,0,3': 1 } };
    const found = outputs({ scores: { shape: [1, 1, 1], fill: value }, boxes });
    return headNamed('ssd').decode(found, { input, labels: ['cat'], settings: { head: 'ssd', scoreThreshold, parameters } })
      .length;
  };

  it('lets through what equals it, to the last bit', () => {
    expect(reported(0.5, 0.5)).toBe(1);
    expect(reported(0.5 - 2 ** -25, 0.5)).toBe(0);
    // 0.1 has no exact float: the nearest one lies above it, 0.7's below.
    expect(reported(0.1, 0.1)).toBe(1);
    expect(reported(0.7, 0.7)).toBe(0);
    expect(reported(0, 0)).toBe(1);
    expect(reported(1, 1)).toBe(1);
  });

  it('does the same to logits', () => {
    expect(reported(0, 0.5, { logits: true })).toBe(1);
    expect(reported(-(2 ** -149), 0.5, { logits: true })).toBe(0);
    expect(reported(-2, 0.1, { logits: true })).toBe(1);
    expect(reported(-3, 0.1, { logits: true })).toBe(0);
    expect(reported(-80, 0, { logits: true })).toBe(1);
    expect(reported(80, 1, { logits: true })).toBe(0);
  });
});

describe('the yunet head', () => {
  it('gives the five landmarks of the face that it kept', () => {
    const { input, values, labels } = FAMILIES.yunet!;
    const [face] = headNamed('yunet').decode(outputs(values), { input, labels, settings: settings('yunet') });
    expect(face!.keypoints).toHaveLength(5);
    expect(face!.keypoints![0]).toEqual({ x: 10, y: 8 });
    expect(face!.keypoints![4]).toEqual({ x: 8, y: 24 });
  });
});

describe('the table of heads', () => {
  it('names what it knows when asked for something else', () => {
    expect(() => headNamed('yolo99')).toThrow(/yolo99.*known are.*yolox/);
  });

  it('does not guess where two families look alike', () => {
    const inputs: TensorInfo[] = [{ name: 'x', type: 'float32', shape: [1, 3, 300, 300] }];
    const two: TensorInfo[] = [
      { name: 'scores', type: 'float32', shape: [1, 100, 2] },
      { name: 'boxes', type: 'float32', shape: [1, 100, 4] },
    ];
    expect(headOf(inputs, two)).toBeNull();
  });

  it('refuses strides that are none', () => {
    const context = {
      input: { width: 64, height: 64 },
      labels: [],
      settings: settings('yolox', { parameters: { strides: [0] } }),
    };
    expect(() => headNamed('yolox').decode({}, context)).toThrow(expect.objectContaining({ code: 'EDGE_MODEL_MANIFEST' }));
  });
});

/** Enough of binary16 for the values above: truncated, nothing below 2^-14. */
function half(value: number): number {
  const bits = new Uint32Array(new Float32Array([value]).buffer)[0]!;
  const exponent = ((bits >>> 23) & 0xff) - 127 + 15;
  if (exponent <= 0) return 0;
  return ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >>> 13) & 0x3ff);
}

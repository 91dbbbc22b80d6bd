import type { TensorInfo, TensorValue } from '../../../../core/message/tensor';
import type { TaskKind } from '../../../../core/model/manifest';
import { HEADS, headNamed, headsFor, isDetectionHead } from '../../../../core/vision/heads';
import { BODY } from '../../../../core/vision/heads/body';
import { cosineSimilarity, embeddingOf } from '../../../../core/vision/heads/embedding';
import type { DetectionHead, ExporterFacts } from '../../../../core/vision/heads/head';

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

function detector(id: string): DetectionHead {
  const head = headNamed(id);
  if (!isDetectionHead(head)) throw new Error(`${id} gives no boxes`);
  return head;
}

/** The ids of the families that fit, given how many labels there are and what the exporter wrote. */
function recognised(
  inputs: TensorInfo[],
  outputs: TensorInfo[],
  clues: { labels?: number; task?: TaskKind; exporter?: Partial<ExporterFacts> } = {},
): string[] {
  const exporter: ExporterFacts = { unread: [], ...clues.exporter };
  return headsFor(inputs, outputs, { ...clues, exporter }).map(({ id }) => id);
}

/** The value before a sigmoid. */
const logit = (probability: number) => Math.log(probability / (1 - probability));

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
  'tensorflow-detection': {
    input: { width: 300, height: 200 },
    // Ten rows of which two hold something; the second is of a class that is not reported.
    values: {
      detection_boxes: {
        shape: [1, 10, 4],
        set: { '0,0,0': 0.1, '0,0,1': 0.2, '0,0,2': 0.4, '0,0,3': 0.6, '0,1,2': 1, '0,1,3': 1, '0,2,2': 1, '0,2,3': 1 },
      },
      detection_scores: { shape: [1, 10], set: { '0,0': 0.9, '0,1': 0.8, '0,2': 0.7 } },
      detection_classes: { shape: [1, 10], set: { '0,0': 2, '0,1': 1, '0,2': 2 } },
      num_detections: { shape: [1], set: { 0: 2 } },
    },
    labels: ['person', '', 'car'],
    expected: { label: 'car', score: 0.9, box: { x: 60, y: 20, width: 120, height: 60 } },
    nanAt: ['detection_scores', '0,1'],
    parameters: { firstClass: 0 },
  },
  yolov5: {
    input: { width: 64, height: 32 },
    // Three anchors in each of 42 cells.
    values: {
      output: {
        shape: [1, 126, 7],
        set: { '0,5,0': 30, '0,5,1': 20, '0,5,2': 10, '0,5,3': 8, '0,5,4': 0.9, '0,5,5': 0.1, '0,5,6': 0.8, '0,6,4': 0.9 },
      },
    },
    labels: ['cat', 'dog'],
    expected: { label: 'dog', score: 0.72, box: { x: 25, y: 16, width: 10, height: 8 } },
    nanAt: ['output', '0,9,4'],
  },
  yolov3: {
    input: { width: 128, height: 64 },
    // One anchor a cell, at strides 64 and 32 in this order. Stride 32 has 4x2 cells: column 2, row 1.
    values: {
      coarse: { shape: [1, 7, 1, 2], fill: -20 },
      fine: {
        shape: [1, 7, 2, 4],
        fill: -20,
        set: { '0,0,1,2': 0, '0,1,1,2': 0, '0,2,1,2': Math.log(2), '0,3,1,2': 0, '0,4,1,2': logit(0.9), '0,6,1,2': logit(0.8) },
      },
    },
    labels: ['cat', 'dog'],
    expected: { label: 'dog', score: 0.72, box: { x: 70, y: 38, width: 20, height: 20 } },
    nanAt: ['fine', '0,4,0,1'],
    parameters: { anchors: [[[10, 20]], [[40, 30]]] },
  },
  'yolov8-pose': {
    input: { width: 128, height: 64 },
    values: {
      output0: {
        shape: [1, 56, 168],
        set: {
          '0,0,5': 30,
          '0,1,5': 20,
          '0,2,5': 10,
          '0,3,5': 8,
          '0,4,5': 0.6,
          '0,5,5': 28,
          '0,6,5': 17,
          '0,7,5': 0.9,
          '0,53,5': 33,
          '0,54,5': 23,
          '0,55,5': 0.4,
        },
      },
    },
    labels: ['person'],
    expected: { label: 'person', score: 0.6, box: { x: 25, y: 16, width: 10, height: 8 } },
    nanAt: ['output0', '0,4,9'],
  },
  'yolov8-segment': {
    input: { width: 128, height: 64 },
    values: {
      output0: { shape: [1, 38, 168], set: { '0,0,5': 30, '0,1,5': 20, '0,2,5': 10, '0,3,5': 8, '0,5,5': 0.6, '0,9,5': 5 } },
      output1: { shape: [1, 32, 16, 32] },
    },
    labels: ['cat', 'dog'],
    expected: { label: 'dog', score: 0.6, box: { x: 25, y: 16, width: 10, height: 8 } },
    nanAt: ['output0', '0,4,9'],
  },
  'end-to-end': {
    input: { width: 64, height: 32 },
    // The second box is nearly the first: what the graph let pass is not suppressed again, but it is below the threshold.
    values: {
      output0: {
        shape: [1, 10, 6],
        set: {
          '0,0,0': 25,
          '0,0,1': 16,
          '0,0,2': 35,
          '0,0,3': 24,
          '0,0,4': 0.6,
          '0,0,5': 1,
          '0,1,2': 9,
          '0,1,3': 9,
          '0,1,4': 0.2,
        },
      },
    },
    labels: ['cat', 'dog'],
    expected: { label: 'dog', score: 0.6, box: { x: 25, y: 16, width: 10, height: 8 } },
    nanAt: ['output0', '0,3,4'],
  },
  'end-to-end-pose': {
    input: { width: 64, height: 32 },
    values: {
      output0: {
        shape: [1, 10, 57],
        set: { '0,0,0': 25, '0,0,1': 16, '0,0,2': 35, '0,0,3': 24, '0,0,4': 0.6, '0,0,6': 28, '0,0,7': 17, '0,0,8': 0.9 },
      },
    },
    labels: ['person'],
    expected: { label: 'person', score: 0.6, box: { x: 25, y: 16, width: 10, height: 8 } },
    nanAt: ['output0', '0,3,4'],
  },
  movenet: {
    input: { width: 200, height: 100 },
    // All joints in the middle, sure; the nose and an ankle span the box; one wrist is far off and not seen.
    values: {
      output_0: {
        shape: [1, 1, 17, 3],
        fill: 0.5,
        set: { '0,0,0,0': 0.1, '0,0,0,1': 0.3, '0,0,16,0': 0.9, '0,0,16,1': 0.7, '0,0,9,0': 1, '0,0,9,1': 1, '0,0,9,2': 0.1 },
      },
    },
    labels: ['person'],
    expected: { label: 'person', score: (16 * 0.5 + 0.1) / 17, box: { x: 60, y: 10, width: 80, height: 80 } },
    nanAt: ['output_0', '0,0,3,2'],
  },
  'movenet-multi': {
    input: { width: 200, height: 100 },
    values: {
      output_0: {
        shape: [1, 6, 56],
        set: {
          '0,2,0': 0.2,
          '0,2,1': 0.5,
          '0,2,2': 0.8,
          '0,2,51': 0.1,
          '0,2,52': 0.3,
          '0,2,53': 0.9,
          '0,2,54': 0.7,
          '0,2,55': 0.6,
        },
      },
    },
    labels: ['person'],
    expected: { label: 'person', score: 0.6, box: { x: 60, y: 10, width: 80, height: 80 } },
    nanAt: ['output_0', '0,4,55'],
  },
  blazeface: {
    input: { width: 128, height: 128 },
    // Stride 8 has 16x16 cells of two anchors: anchor 71 is the second of cell 35, column 3, row 2, centre (28, 20). Outputs are
    // told apart by their shapes, not by their order.
    values: {
      boxes16: { shape: [1, 384, 16] },
      scores8: { shape: [1, 512, 1], fill: -50, set: { '0,71,0': logit(0.9) } },
      scores16: { shape: [1, 384, 1], fill: -50 },
      boxes8: { shape: [1, 512, 16], set: { '0,71,0': 2, '0,71,1': -4, '0,71,2': 20, '0,71,3': 12, '0,71,4': -5, '0,71,15': 1 } },
    },
    labels: ['face'],
    expected: { label: 'face', score: 0.9, box: { x: 20, y: 10, width: 20, height: 12 } },
    nanAt: ['scores16', '0,3,0'],
  },
};

it('has a made-up object for every family of the table that gives boxes', () => {
  const ids = HEADS.filter(isDetectionHead).map((head) => head.id);
  expect(Object.keys(FAMILIES).sort()).toEqual(ids.sort());
});

describe.each(Object.entries(FAMILIES))('the %s head', (id, { input, values, labels, expected, nanAt, parameters }) => {
  const head = detector(id);
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
    expect(recognised(pictures, found, { labels: labels.length })).toEqual([id]);
    expect(recognised(rows, found, { labels: labels.length })).toEqual([id]);
  });

  it('does not claim outputs whose sizes vary or that are missing', () => {
    const found = infos(outputs(values));
    const open = found.map((info) => ({ ...info, shape: info.shape.map(() => 'n') }));
    // The names of YuNet's twelve outputs are enough.
    expect(recognised(pictures, open)).toEqual(id === 'yunet' ? ['yunet'] : []);
    expect(recognised(pictures, found.slice(1))).toEqual([]);
  });

  it('counts the classes of its outputs, where they tell', () => {
    expect([labels.length, null]).toContain(head.classCount(infos(outputs(values)), context.settings));
    expect(head.classCount([])).toBe(head.labels ? head.labels.length : null);
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
    const [found] = detector('yolov8').decode(output, { input, labels, settings: settings('yolov8') });
    expect(found).toMatchObject({ label: expected.label, box: near(expected.box) });
  });

  it('says what to set when scores are no probabilities, and reads them when it is set', () => {
    const logits = { output0: { ...values.output0!, set: { ...values.output0!.set, '0,4,5': -9, '0,5,5': 3 }, fill: -20 } };
    const context = { input, labels, settings: settings('yolov8') };
    expect(() => detector('yolov8').decode(outputs(logits), context)).toThrow(/logits/);
    const told = { ...context, settings: settings('yolov8', { parameters: { logits: true } }) };
    const [found] = detector('yolov8').decode(outputs(logits), told);
    expect(found).toMatchObject({ label: 'dog', score: expect.closeTo(1 / (1 + Math.exp(-3)), 5) });
  });
});

describe('the ssd head', () => {
  it('takes the best class of an anchor, or every class where the manifest says so', () => {
    const boxes = { shape: [1, 1, 4], set: { '0,0,2': 1, '0,0,3': 1 } };
    const found = outputs({ scores: { shape: [1, 1, 3], set: { '0,0,0': 0.5, '0,0,2': 0.8 } }, boxes });
    const labelsWith = (parameters: Record<string, unknown>) =>
      detector('ssd')
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
    return detector('ssd').decode(found, { input, labels: ['cat'], settings: { head: 'ssd', scoreThreshold, parameters } })
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
    const [face] = detector('yunet').decode(outputs(values), { input, labels, settings: settings('yunet') });
    expect(face!.keypoints).toHaveLength(5);
    expect(face!.keypoints![0]).toEqual({ name: 'right eye', x: 10, y: 8 });
    expect(face!.keypoints![4]).toEqual({ name: 'left mouth corner', x: 8, y: 24 });
  });
});

describe('keypoints', () => {
  const posed = (id: string, parameters = {}) => {
    const { input, values, labels } = FAMILIES[id]!;
    return detector(id).decode(outputs(values), { input, labels, settings: settings(id, { parameters }) })[0]!.keypoints!;
  };

  it('are named joints in pixels of the input, each with its own score', () => {
    const points = posed('yolov8-pose');
    expect(points.map(({ name }) => name)).toEqual([...BODY]);
    expect(points[0]).toEqual({ name: 'nose', x: 28, y: 17, score: expect.closeTo(0.9, 5) });
    expect(points[16]).toEqual({ name: 'right ankle', x: 33, y: 23, score: expect.closeTo(0.4, 5) });
    expect(posed('end-to-end-pose')[0]).toEqual({ name: 'nose', x: 28, y: 17, score: expect.closeTo(0.9, 5) });
    expect(posed('movenet')[0]).toEqual({ name: 'nose', x: expect.closeTo(60, 4), y: expect.closeTo(10, 4), score: 0.5 });
    expect(posed('movenet-multi')[0]).toEqual({
      name: 'nose',
      x: 100,
      y: expect.closeTo(20, 4),
      score: expect.closeTo(0.8, 5),
    });
  });

  it('may be others than those of people', () => {
    const parameters = { keypointShape: [2, 2], keypoints: ['tip', 'base'] };
    const set = { '0,2,3': 4, '0,3,3': 4, '0,4,3': 0.9, '0,5,3': 11, '0,6,3': 12, '0,7,3': 13, '0,8,3': 14 };
    const [found] = detector('yolov8-pose').decode(outputs({ output0: { shape: [1, 9, 168], set } }), {
      input: { width: 128, height: 64 },
      labels: ['needle'],
      settings: settings('yolov8-pose', { parameters }),
    });
    expect(found!.keypoints).toEqual([
      { name: 'tip', x: 11, y: 12 },
      { name: 'base', x: 13, y: 14 },
    ]);
    expect(() => posed('yolov8-pose', { keypointShape: [17, 9] })).toThrow(/keypointShape/);
    expect(() => posed('movenet', { keypoints: 'nose' })).toThrow(/parameters\.keypoints/);
  });

  it('of a face are its eyes, nose, mouth and ears', () => {
    const points = posed('blazeface');
    expect(points.map(({ name }) => name)).toEqual(['right eye', 'left eye', 'nose', 'mouth', 'right ear', 'left ear']);
    expect(points[0]).toEqual({ name: 'right eye', x: 23, y: 20 });
    expect(points[5]).toEqual({ name: 'left ear', x: 28, y: 21 });
  });
});

describe('the blazeface head', () => {
  it('reads its outputs whole as well as in parts', () => {
    const { input, values, labels, expected } = FAMILIES.blazeface!;
    const parts = outputs(values);
    const join = (names: string[], columns: number): TensorValue => {
      const data = Float32Array.from(names.flatMap((name) => [...(parts[name]!.data as Float32Array)]));
      return { type: 'float32', shape: [1, 896, columns], data };
    };
    const whole = { regressors: join(['boxes8', 'boxes16'], 16), classificators: join(['scores8', 'scores16'], 1) };
    const [found] = detector('blazeface').decode(whole, { input, labels, settings: settings('blazeface') });
    expect(found).toMatchObject({ label: 'face', box: near(expected.box) });
  });
});

describe('the yolov3 head', () => {
  const { input, values, labels, parameters } = FAMILIES.yolov3!;
  const decode = (found: Record<string, TensorValue>, more: Record<string, unknown>) =>
    detector('yolov3').decode(found, { input, labels, settings: settings('yolov3', { parameters: { ...parameters, ...more } }) });

  it("decodes YOLOv5's way where it is told so", () => {
    const set = { ...values.fine!.set, '0,2,1,2': 0, '0,0,1,2': logit(0.75) };
    const [found] = decode(outputs({ ...values, fine: { ...values.fine!, set } }), { decoding: 'v5' });
    // (2 * 0.75 - 0.5 + 2) * 32 and (2 * 0.5)^2 * 10.
    expect(found!.box).toEqual(near({ x: 91, y: 38, width: 10, height: 20 }));
  });

  it('reads maps whose values stand last', () => {
    const turned = Object.fromEntries(
      Object.entries(outputs(values)).map(([name, { shape, data }]) => {
        const [, planes, rows, columns] = shape as [number, number, number, number];
        const last = new Float32Array(data.length);
        for (let plane = 0; plane < planes; plane++)
          for (let cell = 0; cell < rows * columns; cell++)
            last[cell * planes + plane] = Number(data[plane * rows * columns + cell]);
        return [name, { type: 'float32' as const, shape: [1, 1, rows, columns, planes], data: last }];
      }),
    );
    expect(decode(turned, {})).toEqual(decode(outputs(values), {}));
  });

  it('asks for the anchors, which no graph holds', () => {
    const told = { input, labels, settings: settings('yolov3') };
    expect(() => detector('yolov3').decode(outputs(values), told)).toThrow(/EDGE|anchors.*configuration file/);
  });
});

describe('the end-to-end head', () => {
  const { input, values, labels } = FAMILIES['end-to-end']!;
  const twice = { output0: { ...values.output0!, set: { ...values.output0!.set } } };
  for (const [column, value] of [26, 16, 35, 24, 0.5, 1].entries()) twice.output0.set[`0,2,${column}`] = value;
  const count = (more: object) =>
    detector('end-to-end').decode(outputs(twice), { input, labels, settings: { head: 'end-to-end', ...more } }).length;

  it('suppresses nothing of its own accord, and does where an overlap is set', () => {
    expect(count({})).toBe(2);
    expect(count({ iouThreshold: 0.5 })).toBe(1);
  });
});

describe('the tensorflow-detection head', () => {
  const { input, values, labels } = FAMILIES['tensorflow-detection']!;
  const decode = (found: Record<string, TensorValue>, parameters = {}) =>
    detector('tensorflow-detection').decode(found, { input, labels, settings: settings('x', { parameters }) });

  it('counts classes from 1 as TensorFlow does, from 0 as the operator of TFLite files does', () => {
    const made = outputs(values);
    expect(decode(made).map(({ label }) => label)).toEqual(['person']);
    const named = ['', ':1', ':2', ':3'].map((end) => `TFLite_Detection_PostProcess${end}`);
    const order = ['detection_boxes', 'detection_classes', 'detection_scores', 'num_detections'];
    const renamed = Object.fromEntries(order.map((name, index) => [named[index]!, made[name]!]));
    expect(decode(renamed).map(({ label }) => label)).toEqual(['car']);
  });

  it('takes other names from the manifest, whole numbers for classes, and needs no count', () => {
    const made = outputs(values);
    const found: Record<string, TensorValue> = {
      a: made.detection_boxes!,
      b: made.detection_scores!,
      c: { type: 'int64', shape: [1, 10], data: BigInt64Array.from([2n, 1n, 2n, 0n, 0n, 0n, 0n, 0n, 0n, 0n]) },
    };
    const parameters = { outputs: { boxes: 'a', scores: 'b', classes: 'c' }, firstClass: 0 };
    expect(decode(found, parameters).map(({ label }) => label)).toEqual(['car', 'car']);
    expect(() => decode(found)).toThrow(expect.objectContaining({ code: 'EDGE_MODEL_OUTPUT_SHAPE' }));
  });
});

describe('an embedding', () => {
  const vector = (values: number[], shape = [1, values.length]): TensorValue => ({
    type: 'float32',
    shape,
    data: Float32Array.from(values),
  });

  it('is scaled to length 1', () => {
    expect([...embeddingOf({ y: vector([3, 0, 4]) }, settings('embedding'))]).toEqual([
      expect.closeTo(0.6, 6),
      0,
      expect.closeTo(0.8, 6),
    ]);
    expect([...embeddingOf({ y: vector([0, 0], [1, 2, 1, 1]) }, settings('embedding'))]).toEqual([0, 0]);
  });

  it('is the output that the manifest names, where there are several', () => {
    const two = { age: vector([1]), features: vector([0, 2]) };
    expect([...embeddingOf(two, settings('embedding', { parameters: { output: 'features' } }))]).toEqual([0, 1]);
    expect(() => embeddingOf(two, settings('embedding'))).toThrow(/"age", "features".*output\.parameters\.output/);
  });

  it('is refused when it is a picture or not finite', () => {
    const shape = expect.objectContaining({ code: 'EDGE_MODEL_OUTPUT_SHAPE' });
    expect(() => embeddingOf({ y: vector([1, 2, 3, 4], [1, 2, 2]) }, settings('embedding'))).toThrow(shape);
    const finite = expect.objectContaining({ code: 'EDGE_MODEL_OUTPUT_NOT_FINITE' });
    expect(() => embeddingOf({ y: vector([1, Number.NaN]) }, settings('embedding'))).toThrow(finite);
  });

  it('is compared by the angle between two', () => {
    expect(cosineSimilarity([1, 0], [5, 0])).toBe(1);
    expect(cosineSimilarity([1, 0], [0, 2])).toBe(0);
    expect(cosineSimilarity([1, 1], [-2, -2])).toBeCloseTo(-1);
    expect(cosineSimilarity([0, 0], [1, 1])).toBe(0);
    expect(cosineSimilarity([1], [1, 1])).toBe(0);
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
    expect(recognised(inputs, two)).toEqual([]);
  });

  it('tells layouts of one shape apart by the number of labels, and else asks', () => {
    const inputs: TensorInfo[] = [{ name: 'x', type: 'float32', shape: [1, 3, 640, 640] }];
    const of = (...shape: number[]): TensorInfo[] => [{ name: 'y', type: 'float32', shape }];
    expect(recognised(inputs, of(1, 8400, 85))).toEqual(['yolov8', 'yolox']);
    expect(recognised(inputs, of(1, 8400, 85), { labels: 80 })).toEqual(['yolox']);
    expect(recognised(inputs, of(1, 8400, 85), { labels: 81 })).toEqual(['yolov8']);
    // As many labels as neither has tell nothing.
    expect(recognised(inputs, of(1, 8400, 85), { labels: 3 })).toEqual(['yolov8', 'yolox']);
    expect(recognised(inputs, of(1, 56, 8400))).toEqual(['yolov8', 'yolov8-pose']);
    expect(recognised(inputs, of(1, 56, 8400), { labels: 1 })).toEqual(['yolov8-pose']);
    expect(recognised(inputs, of(1, 56, 8400), { task: 'detection' })).toEqual(['yolov8']);
  });

  it('believes the exporter', () => {
    const inputs: TensorInfo[] = [{ name: 'x', type: 'float32', shape: [1, 3, 640, 640] }];
    const of = (...shape: (number | string)[]): TensorInfo[] => [{ name: 'y', type: 'float32', shape }];
    expect(recognised(inputs, of(1, 8400, 85), { exporter: { task: 'detect' } })).toEqual(['yolov8']);
    expect(recognised(inputs, of(1, 56, 8400), { exporter: { task: 'pose' } })).toEqual(['yolov8-pose']);
    expect(recognised(inputs, of(1, 56, 8400), { exporter: { task: 'detect' } })).toEqual(['yolov8']);
    expect(recognised(inputs, of(1, 68, 8400), { exporter: { task: 'pose', keypointShape: [21, 3] } })).toEqual(['yolov8-pose']);
    expect(recognised(inputs, of(1, 300, 6), { exporter: { task: 'detect', endToEnd: true } })).toEqual(['end-to-end']);
    expect(recognised(inputs, of(1, 300, 6), { exporter: { endToEnd: false } })).toEqual(['end-to-end']);
    expect(recognised(inputs, of(1, 'boxes', 'anchors'), { exporter: { task: 'detect' } })).toEqual(['yolov8']);
    // Rotated boxes would read as a detector of one class more.
    expect(recognised(inputs, of(1, 20, 8400), { exporter: { task: 'obb' } })).toEqual([]);
    expect(recognised(inputs, of(1, 1000), { exporter: { task: 'classify' } })).toEqual(['softmax']);
    expect(recognised(inputs, of(1, 1000))).toEqual([]);
  });

  it("knows a map of classes by the picture's own size, and takes no picture for one", () => {
    const inputs: TensorInfo[] = [{ name: 'x', type: 'float32', shape: [1, 3, 96, 128] }];
    const of = (type: 'float32' | 'int64', ...shape: number[]): TensorInfo[] => [{ name: 'y', type, shape }];
    expect(recognised(inputs, of('float32', 1, 4, 96, 128))).toEqual(['class-map']);
    expect(recognised(inputs, of('float32', 1, 96, 128, 21))).toEqual(['class-map']);
    expect(recognised(inputs, of('int64', 1, 96, 128))).toEqual(['class-map']);
    expect(recognised(inputs, of('float32', 1, 3, 96, 128))).toEqual([]);
    expect(recognised(inputs, of('float32', 1, 1, 96, 128))).toEqual([]);
    expect(recognised(inputs, of('float32', 1, 21, 48, 64))).toEqual([]);
  });

  it('refuses strides that are none', () => {
    const context = {
      input: { width: 64, height: 64 },
      labels: [],
      settings: settings('yolox', { parameters: { strides: [0] } }),
    };
    expect(() => detector('yolox').decode({}, context)).toThrow(expect.objectContaining({ code: 'EDGE_MODEL_MANIFEST' }));
  });
});

/** Enough of binary16 for the values above: truncated, nothing below 2^-14. */
function half(value: number): number {
  const bits = new Uint32Array(new Float32Array([value]).buffer)[0]!;
  const exponent = ((bits >>> 23) & 0xff) - 127 + 15;
  if (exponent <= 0) return 0;
  return ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >>> 13) & 0x3ff);
}

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { convolutionalModel, mulberry } from '../../../bench/support/graph';
import { ERRORS } from '../../../core/errors';
import { InferenceHost } from '../../../core/inference/host';
import type { TensorValue } from '../../../core/message/tensor';
import { exporterFacts } from '../../../core/model/exporter';
import type { Manifest } from '../../../core/model/manifest';
import { parsePartialManifest } from '../../../core/model/parse-manifest';
import { ModelStore, openTask, resolveModel, type Task } from '../../../core/task';
import { HEADS, isDetectionHead } from '../../../core/vision/heads';
import { SHARED } from '../../support/needs';
import { COLOURS, colourClassifier, colourDetector, plain, Workshop } from './models';

/** All together; EDGELOOM_FUZZ_CASES=100000 for a night. The seed makes every case the same on every machine. */
const CASES = Number(process.env.EDGELOOM_FUZZ_CASES ?? 12_000);
const SEED = Number(process.env.EDGELOOM_FUZZ_SEED ?? 20_261_124);
const TIMEOUT = Math.max(120_000, CASES * 60);

// Thousands of models, each opened once: a process for each would take an hour.
const host = new InferenceHost(0, false);
const workshop = new Workshop();
afterAll(async () => {
  await host.close();
  workshop.remove();
});

/** Counts how cases ended; anything but an answer or an error of the table is a failure of the palette. */
class Outcomes {
  private readonly counts = new Map<string, number>();

  constructor(private readonly what: string) {}

  async of(name: string, attempt: () => Promise<unknown>): Promise<void> {
    let ended = 'an answer';
    try {
      await attempt();
    } catch (thrown) {
      const code = (thrown as { code?: unknown }).code;
      if (typeof code !== 'string' || !(code in ERRORS) || code === 'EDGE_INTERNAL') {
        throw new Error(`${name} ended in something that no flow can catch by its code: ${(thrown as Error).stack}`);
      }
      ended = code;
    }
    this.counts.set(ended, (this.counts.get(ended) ?? 0) + 1);
  }

  print(): void {
    const parts = [...this.counts].sort((a, b) => b[1] - a[1]).map(([ended, count]) => `${ended} ${count}`);
    const total = [...this.counts.values()].reduce((sum, count) => sum + count, 0);
    process.stderr.write(`fuzz: ${total} ${this.what}, seed ${SEED}: ${parts.join(', ')}\n`);
  }

  count(ended: string): number {
    return this.counts.get(ended) ?? 0;
  }
}

/** Damage as disks, cables and attackers do it. */
function damaged(bytes: Uint8Array, random: () => number): Uint8Array {
  const below = (most: number) => Math.floor(random() * most);
  const copy = Uint8Array.from(bytes);
  const kind = below(6);
  if (kind === 0) return copy.subarray(0, below(copy.length));
  if (kind === 1) {
    const from = below(copy.length);
    copy.fill(random() < 0.5 ? 0 : 255, from, from + 1 + below(64));
    return copy;
  }
  if (kind === 2) {
    const from = below(copy.length);
    return Buffer.concat([copy.subarray(0, from), copy.subarray(from + 1 + below(32))]);
  }
  if (kind === 3) {
    const from = below(copy.length);
    const piece = copy.subarray(from, from + 1 + below(200));
    return Buffer.concat([copy.subarray(0, from), piece, copy.subarray(from)]);
  }
  // Headers and graphs lie at the front: half of the flips go there.
  const reach = kind === 4 ? Math.min(copy.length, 400) : copy.length;
  for (let flips = 1 + below(12); flips > 0; flips--) copy[below(reach)] = below(256);
  return copy;
}

it(
  'damaged models are refused with a code, or run',
  async () => {
    const random = mulberry(SEED);
    const outcomes = new Outcomes('damaged models');
    const classifier: Manifest = { ...COLOURS, task: 'classification', output: { head: 'softmax' } };
    const tensors: Manifest = { ...COLOURS, task: 'tensors', input: { kind: 'raw' }, output: { head: 'none' } };
    const models: [Uint8Array, Manifest][] = [
      [colourDetector(), COLOURS],
      [colourClassifier(true), classifier],
      [convolutionalModel(32, 8, 3), classifier],
      [convolutionalModel(32, 4, 1), tensors],
    ];
    const ultraface = join(SHARED, 'models', 'ultraface_slim_320.onnx');
    const store = new ModelStore(join(workshop.folder, 'fuzz'));
    const path = join(workshop.folder, 'damaged.onnx');
    for (let index = 0; index < CASES / 6; index++) {
      const [bytes, manifest] = models[index % models.length]!;
      // A real model now and then: it takes longer, so not every time.
      const real = index % 40 === 0 && existsSync(ultraface);
      writeFileSync(path, damaged(real ? readFileSync(ultraface) : bytes, random));
      const { source: _source, ...said } = manifest;
      await outcomes.of(`model ${index} of seed ${SEED}`, async () => {
        const model = await resolveModel(path, { store, manifest: real ? {} : said });
        const task = await openTask(model, { placement: index % 10 === 0 ? 'worker' : 'main', threads: 1 }, host);
        try {
          await task.run(model.manifest.task === 'tensors' ? new Float32Array(3 * 32 * 32) : plain(200, 100, 50));
        } finally {
          await task.close();
        }
      });
    }
    outcomes.print();
    expect(outcomes.count('EDGE_MODEL_INVALID')).toBeGreaterThan(0);
    expect(outcomes.count('an answer')).toBeGreaterThan(0);
  },
  TIMEOUT,
);

it(
  'damaged pictures are refused with a code, or seen',
  async () => {
    const random = mulberry(SEED + 1);
    const outcomes = new Outcomes('damaged pictures');
    const task = await openTask(workshop.resolved(colourDetector(), COLOURS), { threads: 1 }, host);
    const pictures = await realPictures();
    try {
      await inTurn(CASES / 3, task, outcomes, (index) => damaged(pictures[index % pictures.length]!, random));
      // After all of it the task is as good as new.
      const { result } = await task.run(plain(255, 0, 0));
      expect(result).toMatchObject({ detections: [{ label: 'red', score: 1 }] });
    } finally {
      await task.close();
    }
    outcomes.print();
    expect(outcomes.count('EDGE_IMAGE_FORMAT')).toBeGreaterThan(0);
    expect(outcomes.count('EDGE_IMAGE_TRUNCATED')).toBeGreaterThan(0);
    expect(outcomes.count('an answer')).toBeGreaterThan(0);
  },
  TIMEOUT,
);

it(
  'payloads of every kind are refused with a code, or understood',
  async () => {
    const random = mulberry(SEED + 2);
    const outcomes = new Outcomes('strange payloads');
    const pictures = await openTask(workshop.resolved(colourDetector(), COLOURS), { threads: 1 }, host);
    const manifest: Manifest = { ...COLOURS, task: 'tensors', input: { kind: 'raw' }, output: { head: 'none' } };
    const tensors = await openTask(workshop.resolved(convolutionalModel(32, 4, 1), manifest), { threads: 1 }, host);
    try {
      for (let index = 0; index < CASES / 6; index++) {
        const payload = strange(random, 0);
        const task = index % 2 === 0 ? pictures : tensors;
        await outcomes.of(`payload ${index} of seed ${SEED}`, () => task.run(payload));
      }
    } finally {
      await pictures.close();
      await tensors.close();
    }
    outcomes.print();
    expect(outcomes.count('EDGE_INPUT_TYPE')).toBeGreaterThan(0);
  },
  TIMEOUT,
);

it('damaged manifests are refused with a code, or read', async () => {
  const random = mulberry(SEED + 3);
  const outcomes = new Outcomes('damaged manifests');
  const text = JSON.stringify(COLOURS);
  for (let index = 0; index < CASES / 3; index++) {
    const json = mutatedJson(JSON.parse(text), random);
    await outcomes.of(`manifest ${index} of seed ${SEED}`, async () => parsePartialManifest(json, 'model.json'));
  }
  outcomes.print();
  expect(outcomes.count('EDGE_MODEL_MANIFEST')).toBeGreaterThan(0);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

it(
  'damaged outputs are refused with a code by every head, or read, in bounded time',
  async () => {
    const random = mulberry(SEED + 4);
    const outcomes = new Outcomes('damaged outputs');
    const heads = HEADS.filter(isDetectionHead);
    const labels = ['person', '', 'car'];
    const parameters: Record<string, unknown> = { anchors: [[[10, 13]], [[30, 61]]], firstClass: 0 };
    let slowest = 0;
    for (let index = 0; index < CASES / 4; index++) {
      const head = heads[index % heads.length]!;
      const input = OUTPUT_INPUTS[head.id] ?? { width: 64, height: 64 };
      const outputs = damagedOutputs(OUTPUTS[head.id]!, random);
      const settings = {
        head: head.id,
        scoreThreshold: random() < 0.3 ? 0 : random(),
        maxDetections: 20,
        parameters: random() < 0.2 ? { ...parameters, ...strangeParameters(random) } : parameters,
      };
      const started = process.cpuUsage();
      await outcomes.of(`outputs ${index} of seed ${SEED} for ${head.id}`, async () => {
        const found = head.decode(outputs, { input, labels: random() < 0.5 ? labels : [], settings });
        // What is let through is fit for any consumer.
        for (const { score, box, keypoints = [] } of found) {
          const numbers = [score, box.x, box.y, box.width, box.height, ...keypoints.flatMap(({ x, y }) => [x, y])];
          if (!numbers.every(Number.isFinite) || score < 0 || score > 1) throw new Error(`${head.id} gave ${numbers.join(', ')}`);
        }
        head.classCount(
          Object.entries(outputs).map(([name, { type, shape }]) => ({ name, type, shape })),
          settings,
        );
      });
      slowest = Math.max(slowest, process.cpuUsage(started).user / 1000);
    }
    outcomes.print();
    process.stderr.write(`fuzz: the slowest took ${slowest.toFixed(1)} ms of CPU\n`);
    expect(outcomes.count('EDGE_MODEL_OUTPUT_SHAPE')).toBeGreaterThan(0);
    expect(outcomes.count('EDGE_MODEL_OUTPUT_NOT_FINITE')).toBeGreaterThan(0);
    expect(outcomes.count('an answer')).toBeGreaterThan(0);
  },
  TIMEOUT,
);

it('damaged metadata is read or left out, and nothing of it is run', async () => {
  const random = mulberry(SEED + 5);
  const outcomes = new Outcomes('damaged metadata');
  let whole = 0;
  const good = {
    names: "{0: 'person', 1: \"driver's cab\"}",
    imgsz: '[640, 640]',
    kpt_shape: '[17, 3]',
    end2end: 'True',
    task: 'pose',
  };
  for (let index = 0; index < CASES / 6; index++) {
    const [key, text] = Object.entries(good)[index % Object.keys(good).length]!;
    const properties = { ...good, [key]: Buffer.from(damaged(Buffer.from(text), random)).toString('latin1') };
    await outcomes.of(`metadata ${index} of seed ${SEED}`, async () => {
      const { names = [], unread } = exporterFacts(properties);
      if (!names.every((name) => typeof name === 'string')) throw new Error(`names that are none: ${names.join(', ')}`);
      whole += Number(unread.length === 0);
    });
  }
  outcomes.print();
  expect(whole).toBeGreaterThan(0);
});

/** Shapes of each family's outputs for a small input, to be damaged. */
const OUTPUTS: Record<string, Record<string, number[]>> = {
  blazeface: { boxes: [1, 896, 16], scores: [1, 896, 1] },
  'end-to-end': { output0: [1, 30, 6] },
  'end-to-end-pose': { output0: [1, 30, 57] },
  fastestdet: { 758: [1, 8, 4, 4] },
  movenet: { output_0: [1, 1, 17, 3] },
  'movenet-multi': { output_0: [1, 6, 56] },
  nanodet: Object.fromEntries(
    [8, 16, 32].flatMap((stride) => [
      [`cls_pred_stride_${stride}`, [1, (64 / stride) ** 2, 3]],
      [`dis_pred_stride_${stride}`, [1, (64 / stride) ** 2, 32]],
    ]),
  ),
  ssd: { scores: [1, 50, 3], boxes: [1, 50, 4] },
  'tensorflow-detection': {
    detection_boxes: [1, 20, 4],
    detection_scores: [1, 20],
    detection_classes: [1, 20],
    num_detections: [1],
  },
  ultraface: { scores: [1, 235, 2], boxes: [1, 235, 4] },
  yolov3: { fine: [1, 8, 8, 8], coarse: [1, 8, 4, 4] },
  yolov5: { output: [1, 252, 8] },
  yolov8: { output0: [1, 7, 84] },
  'yolov8-pose': { output0: [1, 56, 84] },
  'yolov8-segment': { output0: [1, 39, 84], output1: [1, 32, 16, 16] },
  yolox: { output: [1, 84, 8] },
  yunet: Object.fromEntries(
    [8, 16, 32].flatMap((stride) =>
      Object.entries({ cls: 1, obj: 1, bbox: 4, kps: 10 }).map(([name, columns]) => [
        `${name}_${stride}`,
        [1, (64 / stride) ** 2, columns],
      ]),
    ),
  ),
};
const OUTPUT_INPUTS: Record<string, { width: number; height: number }> = { blazeface: { width: 128, height: 128 } };

const NOISE = Float32Array.from({ length: 65_536 }, mulberry(SEED + 6));

/** Noise in the shapes of a family, with one to three things wrong: a shape, a type, a name, a length, single values. */
function damagedOutputs(shapes: Record<string, number[]>, random: () => number): Record<string, TensorValue> {
  const below = (most: number) => Math.floor(random() * most);
  const scale = [1, 1, 5, 1e6][below(4)]!;
  const outputs: Record<string, TensorValue> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const count = shape.reduce((product, size) => product * size, 1);
    const from = below(NOISE.length - count);
    const data = NOISE.slice(from, from + count);
    if (scale !== 1) for (let at = 0; at < count; at++) data[at]! *= scale;
    outputs[name] = { type: 'float32', shape, data };
  }
  for (let wrong = below(4); wrong > 0; wrong--) {
    const names = Object.keys(outputs);
    const name = names[below(names.length)];
    if (name === undefined) break;
    const { shape, data } = outputs[name]!;
    const kind = below(7);
    if (kind === 0) delete outputs[name];
    else if (kind === 1) outputs[`x${name}`] = outputs[name]!;
    else if (kind === 2) {
      // Another number of anchors, classes or dimensions, with as many values as it says.
      const other = shape.map((size) => (random() < 0.4 ? [0, 1, size + 1, 2 * size, 3000][below(5)]! : size)).slice(below(2));
      const count = other.reduce((product, size) => product * size, 1);
      if (count < 3e5) outputs[name] = { type: 'float32', shape: other, data: new Float32Array(count).fill(random()) };
    } else if (kind === 3)
      outputs[name] = { type: 'float32', shape: shape.map((size) => size * 1000), data: new Float32Array(data.length) };
    else if (kind === 4) outputs[name] = { type: 'int64', shape, data: new BigInt64Array(data.length) };
    else if (data instanceof Float32Array) {
      const values = [Number.NaN, Infinity, -Infinity, -1, 1e38, -1e38, 0.99];
      for (let times = 1 + below(20); times > 0; times--) data[below(data.length)] = values[below(values.length)]!;
    }
  }
  return outputs;
}

function strangeParameters(random: () => number): Record<string, unknown> {
  const names = [
    'strides',
    'anchors',
    'keypointShape',
    'keypoints',
    'outputs',
    'firstClass',
    'logits',
    'transposed',
    'anchorsPerCell',
  ];
  const values = [
    null,
    true,
    'x',
    -1,
    1e9,
    [],
    [[]],
    [0],
    ['a', 5],
    [17, 3],
    [1000, 3],
    { boxes: 'x' },
    JSON.parse('{"__proto__": 1}'),
  ];
  return { [names[Math.floor(random() * names.length)]!]: values[Math.floor(random() * values.length)] };
}

/** Two pictures at a time, as edge-infer sends them. */
async function inTurn(count: number, task: Task, outcomes: Outcomes, make: (index: number) => unknown): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const index = next++;
      const payload = make(index);
      await outcomes.of(`picture ${index} of seed ${SEED}`, () => task.run(payload));
    }
  };
  await Promise.all([lane(), lane()]);
}

async function realPictures(): Promise<Buffer[]> {
  const raw = { width: 97, height: 61, channels: 3 as const };
  const noise = sharp(Buffer.from(Array.from({ length: 97 * 61 * 3 }, (_, at) => (at * 37) % 256)), { raw });
  const made = await Promise.all([
    noise.clone().jpeg().toBuffer(),
    noise.clone().jpeg({ progressive: true }).withMetadata({ orientation: 6 }).toBuffer(),
    noise.clone().png().toBuffer(),
    noise.clone().webp().toBuffer(),
    noise.clone().gif().toBuffer(),
    noise.clone().tiff({ compression: 'lzw' }).toBuffer(),
    noise.clone().avif({ effort: 0 }).toBuffer(),
  ]);
  const coco = join(SHARED, 'data', 'vision', 'coco');
  const real = existsSync(coco) ? readdirSync(coco).sort().slice(0, 3) : [];
  return [...made, ...real.map((name) => readFileSync(join(coco, name)))];
}

/** A value that no sensible flow sends. */
function strange(random: () => number, depth: number): unknown {
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!;
  const number = () => pick([0, -0, 1, -1, 0.5, 1e9, 2 ** 53, Number.NaN, Infinity, -Infinity]);
  const makers: (() => unknown)[] = [
    () =>
      pick([
        undefined,
        null,
        true,
        false,
        '',
        '/etc/passwd',
        '/dev/zero',
        '/proc/self/mem',
        '..',
        '\0',
        'data:image/png;base64,AAAA',
      ]),
    number,
    () => 'x'.repeat(Math.floor(random() * 10_000)),
    () => new Float32Array(pick([0, 1, 3 * 32 * 32])).fill(number()),
    () => Buffer.alloc(Math.floor(random() * 300), Math.floor(random() * 256)),
    () => ({
      kind: pick(['frame', 'tensor', 'window']),
      width: number(),
      height: number(),
      encoding: pick(['rgb8', 'jpeg', 5]),
      shape: [number()],
      type: pick(['float32', 'x']),
      ref: pick([{}, null, { reference: true }, 7]),
    }),
    () => ({ width: number(), height: number(), data: new Uint8Array(Math.floor(random() * 100)) }),
    () => JSON.parse('{"__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}}'),
    () => ({ image: depth < 3 ? strange(random, depth + 1) : 1 }),
    () => Array.from({ length: Math.floor(random() * 4) }, () => (depth < 3 ? strange(random, depth + 1) : number())),
    () => Symbol('x'),
    () => 10n,
    () => () => 1,
    () => new Date(),
    () => new Map(),
    () => new Proxy({}, { get: () => undefined }),
  ];
  return pick(makers)();
}

/** One to three values or names exchanged anywhere in a JSON document. */
function mutatedJson(document: unknown, random: () => number): unknown {
  // As text, so that each is a new value: a document that holds itself is not JSON.
  const values = [
    'null',
    'true',
    '-1',
    '0.1',
    '1e308',
    '""',
    '"x"',
    '"../.."',
    '[]',
    '[[]]',
    '{}',
    '{"__proto__": {"polluted": 1}}',
  ];
  values.push(JSON.stringify('y'.repeat(10_000)));
  const value = (): unknown => JSON.parse(pick(values));
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!;
  let result = document;
  for (let change = 1 + Math.floor(random() * 3); change > 0; change--) {
    let at: unknown = result;
    for (;;) {
      if (typeof at !== 'object' || at === null || Object.keys(at).length === 0) break;
      const holder = at as Record<string, unknown>;
      const key = pick(Object.keys(holder));
      if (random() < 0.5) {
        const kind = random();
        if (kind < 0.6) holder[key] = value();
        else if (kind < 0.8) delete holder[key];
        else
          Object.defineProperty(holder, pick(['__proto__', 'constructor', 'extra']), {
            value: value(),
            enumerable: true,
            configurable: true,
            writable: true,
          });
        break;
      }
      at = holder[key];
    }
    if (random() < 0.02) result = value();
  }
  return result;
}

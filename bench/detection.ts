import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import type { DetectionResult } from '../core/message/results';
import { catalogue, DEFAULT_MODEL, ModelStore, openTask, type ResolvedModel, resolveModel, type Task } from '../core/task';
import { averagePrecision, type GroundTruth, type ScoredBox } from './support/average-precision';
import type { Bench } from './support/bench';
import { median } from './support/statistics';

const ROOT = join(__dirname, '..', '..');
const SHARED = process.env.EDGELOOM_SHARED ?? join(ROOT, '..', 'shared');
/** The build leaves the float original of the packaged detector here. */
const FLOAT_TWIN = join(ROOT, '.cache', 'edgeloom', 'coco-ssd-mobilenet-v2-fp32.onnx');

/** As COCO's own evaluation is fed: nearly everything, so that the whole precision-recall curve is seen. */
const FOR_ACCURACY = { scoreThreshold: 0.01, iouThreshold: 0.6, maxDetections: 100 };
const ROUNDS = 7;
const PICTURES_PER_ROUND = 12;

interface Case {
  name: string;
  model: ResolvedModel;
}

interface Picture {
  bytes: Buffer;
  /** [class, centre x, centre y, width, height], relative; as YOLO's text files have it. */
  objects: number[][];
}

/**
 * Accuracy and time of every detector of the catalogue, and of the packaged int8 detector beside its float original.
 *
 * `ap`, `ap50`: COCO's, on the pictures of --data with the YOLO text files of --labels (class numbers are COCO's 80; a file
 * `classes.txt` among the labels names others). Face detectors have no such labels: only their time is reported.
 * `ms`: one whole task in milliseconds, from a JPEG in memory to boxes, one at a time, default thresholds and placement; `run_ms`
 * the session's part of it. Medians of interleaved rounds. `-- detection yolox-nano-416` measures only that.
 */
export default async function detection(bench: Bench): Promise<void> {
  if (!process.env.EDGELOOM_MODEL_MIRROR) process.env.EDGELOOM_MODEL_MIRROR = join(SHARED, 'models');
  const labelsFolder = bench.options.labels ?? join(SHARED, 'data', 'vision', 'coco-labels');
  const pictures = readPictures(bench.options.data ?? join(SHARED, 'data', 'vision', 'coco'), labelsFolder);
  const classes = classNames(labelsFolder);
  const cases = await findCases(bench);
  const scores = new Map<string, number>();
  for (const { name, model } of cases) {
    if (!model.manifest.labels.some((label) => classes.includes(label))) {
      bench.note(`${name}: none of its labels are among those of the data; ap is not measured`);
      continue;
    }
    const { ap, ap50, classes: seen } = await accuracy(model, pictures, classes);
    bench.note(`${name}: ${pictures.length} pictures, ${seen} classes`);
    bench.record({ case: name, measure: 'ap', value: ap, unit: '0 to 1' });
    bench.record({ case: name, measure: 'ap50', value: ap50, unit: '0 to 1' });
    scores.set(name, ap);
  }
  const loss = (scores.get('default-fp32') ?? Number.NaN) - (scores.get('default-int8') ?? Number.NaN);
  if (!Number.isNaN(loss))
    bench.record({ case: 'default-int8', measure: 'ap_loss', value: loss, unit: '0 to 1', target: '<= 0.01' });
  await times(bench, cases, pictures);
}

async function findCases(bench: Bench): Promise<Case[]> {
  const store = new ModelStore(join(ROOT, '.cache', 'edgeloom', 'bench-store'));
  const wanted = (name: string) => bench.options.rest.length === 0 || bench.options.rest.includes(name);
  const cases: Case[] = [];
  const add = async (name: string, source: string, manifest = {}) => {
    if (!wanted(name)) return;
    try {
      cases.push({ name, model: await resolveModel(source, { store, manifest }) });
    } catch (error) {
      bench.note(`${name} is left out: ${(error as Error).message}`);
    }
  };
  const { source: _source, sha256: _sha256, size: _size, quantization: _quantization, ...said } = defaultManifest();
  if (existsSync(FLOAT_TWIN)) await add('default-fp32', FLOAT_TWIN, { ...said, id: `${DEFAULT_MODEL}-float` });
  else bench.note(`default-fp32 is left out: ${FLOAT_TWIN} is made by npm run build`);
  await add('default-int8', `catalogue:${DEFAULT_MODEL}`);
  for (const { id, task } of catalogue()) if (id !== DEFAULT_MODEL && task === 'detection') await add(id, `catalogue:${id}`);
  return cases;
}

function defaultManifest() {
  return catalogue().find((entry) => entry.id === DEFAULT_MODEL)!;
}

async function accuracy(model: ResolvedModel, pictures: readonly Picture[], classes: readonly string[]) {
  const task = await openTask(everyClass(model), FOR_ACCURACY);
  const truth: GroundTruth[] = [];
  const found: ScoredBox[] = [];
  try {
    for (const [image, { bytes, objects }] of pictures.entries()) {
      const { detections, image: size } = await detect(task, bytes);
      for (const [classIndex, x, y, width, height] of objects as [number, number, number, number, number][]) {
        // A detector of people is not asked for cars.
        if (!model.manifest.labels.includes(classes[classIndex] ?? '')) continue;
        truth.push({
          image,
          classIndex,
          box: {
            x: (x - width / 2) * size.width,
            y: (y - height / 2) * size.height,
            width: width * size.width,
            height: height * size.height,
          },
        });
      }
      for (const { label, score, box } of detections) {
        const classIndex = classes.indexOf(label);
        if (classIndex >= 0) found.push({ image, classIndex, box, score });
      }
    }
  } finally {
    await task.close();
  }
  return averagePrecision(truth, found);
}

/** As SSD's own evaluation is fed: an anchor is every class that it may be, not only its best. */
function everyClass(model: ResolvedModel): ResolvedModel {
  const { output } = model.manifest;
  const parameters = { ...output.parameters, multiLabel: true };
  return { ...model, manifest: { ...model.manifest, output: { ...output, parameters } } };
}

async function times(bench: Bench, cases: readonly Case[], pictures: readonly Picture[]): Promise<void> {
  const timed = [...pictures.slice(0, PICTURES_PER_ROUND)];
  const tasks: { name: string; task: Task; whole: number[]; run: number[] }[] = [];
  try {
    for (const { name, model } of cases) tasks.push({ name, task: await openTask(model), whole: [], run: [] });
    for (let round = -1; round < ROUNDS; round++) {
      for (const { task, whole, run } of tasks) {
        const wholes: number[] = [];
        const runs: number[] = [];
        for (const { bytes } of timed) {
          const started = performance.now();
          const { timings } = await task.run(bytes);
          wholes.push(performance.now() - started);
          runs.push(timings.run);
        }
        // The first round warms up.
        if (round < 0) continue;
        whole.push(median(wholes));
        run.push(median(runs));
      }
    }
  } finally {
    await Promise.all(tasks.map(({ task }) => task.close()));
  }
  for (const { name, whole, run } of tasks) {
    bench.record({ case: name, measure: 'ms', value: median(whole), unit: 'ms' });
    bench.record({ case: name, measure: 'run_ms', value: median(run), unit: 'ms' });
  }
  const float = tasks.find(({ name }) => name === 'default-fp32');
  const int8 = tasks.find(({ name }) => name === 'default-int8');
  if (!float || !int8) return;
  const ratio = (kind: 'whole' | 'run') => median(float[kind].map((value, round) => value / int8[kind][round]!));
  bench.record({ case: 'default-int8', measure: 'speedup', value: ratio('run'), unit: 'x', target: '>= 1.3' });
  bench.record({ case: 'default-int8', measure: 'speedup_whole_task', value: ratio('whole'), unit: 'x' });
}

async function detect(task: Task, bytes: Buffer): Promise<DetectionResult> {
  const { result } = await task.run(bytes);
  if (result.schema !== 'edgeloom/detections/1') throw new Error(`${result.model} is not a detector`);
  return result;
}

function readPictures(folder: string, labels: string): Picture[] {
  const names = readdirSync(folder).filter((name) => /\.(jpe?g|png|webp)$/i.test(name));
  if (names.length === 0) throw new Error(`no pictures in ${folder}`);
  return names.sort().map((name) => {
    const path = join(labels, `${basename(name, extname(name))}.txt`);
    const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
    const objects = lines.map((line) => line.trim().split(/\s+/).map(Number)).filter((numbers) => numbers.length >= 5);
    return { bytes: readFileSync(join(folder, name)), objects };
  });
}

/** COCO's 80 in their usual order, as every such label file numbers them. */
function classNames(labels: string): readonly string[] {
  const own = join(labels, 'classes.txt');
  if (existsSync(own)) return readFileSync(own, 'utf8').trim().split(/\r?\n/);
  return catalogue().find((entry) => entry.id === 'yolox-nano-416')!.labels;
}

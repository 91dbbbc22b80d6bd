import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceHost } from '../../../core/inference/host';
import type { ClassificationResult, DetectionResult } from '../../../core/message/results';
import type { ImageInput, Manifest } from '../../../core/model/manifest';
import { openTask, type Task, type TaskOptions } from '../../../core/task';
import { COLOURS, colourClassifier, colourDetector, plain, Workshop } from './models';

const host = new InferenceHost(0);
const workshop = new Workshop();
const open: Task[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((task) => task.close()));
});
afterAll(async () => {
  await host.close();
  workshop.remove();
});

async function opened(change: Partial<Manifest> = {}, options: TaskOptions = {}, bytes = colourDetector()): Promise<Task> {
  const task = await openTask(workshop.resolved(bytes, { ...COLOURS, ...change }), options, host);
  open.push(task);
  return task;
}
const detect = async (task: Task, payload: unknown) => (await task.run(payload)).result as DetectionResult;
const input = (change: Partial<ImageInput>) => ({ input: { ...(COLOURS.input as ImageInput), ...change } });

describe('a detector as a task', () => {
  it('goes from a picture to boxes in its pixels', async () => {
    const task = await opened();
    const { result, frame, timings } = await task.run(plain(255, 51, 0));
    expect(result).toEqual({
      schema: 'edgeloom/detections/1',
      model: 'colours@3',
      image: { width: 40, height: 20 },
      detections: [{ label: 'red', score: 1, box: { x: 20, y: 10, width: 20, height: 10 } }],
    });
    expect(frame).toMatchObject({ kind: 'frame', width: 40, height: 20 });
    for (const value of Object.values(timings)) expect(value).toBeGreaterThanOrEqual(0);
  });

  it('maps boxes back through the letterbox and cuts them at the edges of the picture', async () => {
    const task = await opened(input({ fit: 'letterbox', anchor: 'start', padding: 0 }));
    // 40x20 becomes 32x16 in the upper half of 32x32: the box, its lower right quarter, lies below the picture.
    expect((await detect(task, plain(255, 255, 255))).detections).toEqual([]);
    const centred = await opened({
      ...input({ fit: 'letterbox', anchor: 'centre', padding: 0 }),
      output: { head: 'ssd', scoreThreshold: 0.2 },
    });
    const [found] = (await detect(centred, plain(255, 255, 255))).detections;
    expect(found!.box).toEqual({ x: 20, y: 10, width: 20, height: 10 });
  });

  it('gives the model its colours in its own order', async () => {
    const task = await opened({ ...input({ colours: 'bgr' }), labels: ['first', 'second', 'third'] });
    expect((await detect(task, plain(0, 0, 255))).detections[0]).toMatchObject({ label: 'first', score: 1 });
  });

  it('normalises by mean and scale', async () => {
    const task = await opened(input({ mean: [51, 0, 0], scale: [1 / 102, 1 / 255, 1 / 255] }));
    expect((await detect(task, plain(102, 0, 0))).detections[0]).toMatchObject({ label: 'red', score: 0.5 });
  });

  it('folds the preparation into the graph once and keeps the result beside the store', async () => {
    await opened();
    await opened();
    const derived = readdirSync(join(workshop.folder, 'store', 'derived'));
    const { sha256 } = workshop.resolved(colourDetector(), COLOURS);
    expect(derived.every((name) => name.startsWith(sha256) && /-pixels-[0-9a-f]{16}\.onnx$/.test(name))).toBe(true);
    expect(new Set(derived).size).toBe(derived.length);
  });

  it('takes thresholds and labels from whoever uses it', async () => {
    const strict = await opened({}, { scoreThreshold: 0.9 });
    expect((await detect(strict, plain(200, 0, 0))).detections).toEqual([]);
    const only = await opened({}, { labels: ['green'] });
    expect((await detect(only, plain(255, 200, 0))).detections).toEqual([]);
    expect((await detect(only, plain(0, 200, 0))).detections).toEqual([expect.objectContaining({ label: 'green' })]);
  });

  it('runs pictures two at a time and answers in the order of asking', async () => {
    const task = await opened({ output: { head: 'ssd', scoreThreshold: 0 } });
    expect(task.concurrency).toBe(2);
    const finished: number[] = [];
    // Every other one is large and takes longer to prepare.
    const runs = Array.from({ length: 12 }, (_, index) =>
      task.run(index % 2 === 0 ? plain(index * 20, 0, 0, 1200, 900) : plain(index * 20, 0, 0, 8, 8)).then(({ result }) => {
        finished.push(index);
        return (result as DetectionResult).detections[0]!.score;
      }),
    );
    const scores = await Promise.all(runs);
    expect(finished).toEqual([...finished].sort((a, b) => a - b));
    expect(scores).toEqual(scores.map((_score, index) => expect.closeTo((index * 20) / 255, 2)));
  });

  it('goes on after a picture that could not be read', async () => {
    const task = await opened();
    const runs = [
      task.run(Buffer.from('no picture')),
      task.run(plain(255, 0, 0)),
      task.run(undefined),
      task.run(plain(255, 0, 0)),
    ];
    const [first, second, third, fourth] = await Promise.allSettled(runs);
    expect(first).toMatchObject({ status: 'rejected', reason: { code: 'EDGE_IMAGE_FORMAT' } });
    expect(second).toMatchObject({ status: 'fulfilled' });
    expect(third).toMatchObject({ status: 'rejected', reason: { code: 'EDGE_INPUT_EMPTY' } });
    expect(fourth).toMatchObject({ status: 'fulfilled' });
  });

  it('shares one session among all that use the model alike, and lets it go with the last', async () => {
    const first = await opened();
    const second = await opened({}, { scoreThreshold: 0.9 });
    const leases = () => host.stats().sessions.map((session) => session.leases);
    expect(leases()).toEqual([2]);
    await first.close();
    await first.close();
    expect(leases()).toEqual([1]);
    await expect(first.run(plain(0, 0, 0))).rejects.toMatchObject({ code: 'EDGE_SESSION_CLOSED' });
    await detect(second, plain(255, 0, 0));
  });
});

describe('what a model does not say', () => {
  it('is reported: missing labels, too many labels, labels that it does not know', async () => {
    const nameless = await opened({ labels: [] });
    expect(nameless.info.warnings).toEqual([expect.stringMatching(/names none of its 3 classes/)]);
    expect((await detect(nameless, plain(0, 255, 0))).detections[0]).toMatchObject({ label: 'class 1' });
    const many = await opened({ labels: ['a', 'b', 'c', 'd'] }, { labels: ['zebra'] });
    expect(many.info.warnings).toEqual([
      expect.stringMatching(/3 classes and its manifest 4 labels/),
      'The model knows no "zebra"',
    ]);
    expect((await opened()).info).toMatchObject({ warnings: [], manifest: COLOURS, session: { placement: expect.any(String) } });
  });
});

describe('a manifest that does not fit its model', () => {
  it.each<[string, Partial<Manifest>, string]>([
    ['another head', { output: { head: 'yolox' } }, 'EDGE_MODEL_OUTPUT_SHAPE'],
    ['a head that does not exist', { output: { head: 'yolo99' } }, 'EDGE_MODEL_UNSUPPORTED'],
    ['another size', input({ width: 64 }), 'EDGE_MODEL_INPUT_SHAPE'],
    ['another input name', input({ name: 'pixels' }), 'EDGE_MODEL_MANIFEST'],
    ['bytes where the graph takes floats', input({ normalisedInGraph: true, layout: 'NHWC' }), 'EDGE_MODEL_INPUT_SHAPE'],
    ['tensors for pictures', { input: { kind: 'raw' } }, 'EDGE_MODEL_MANIFEST'],
    ['a classifier that is none', { task: 'classification', output: { head: 'softmax' } }, 'EDGE_MODEL_OUTPUT_SHAPE'],
  ])('is found when the model is opened: %s', async (_name, change, code) => {
    await expect(opened(change)).rejects.toMatchObject({ code });
    expect(host.stats().sessions.every((session) => session.leases === 0)).toBe(true);
  });

  it('and so is a store that cannot be written', async () => {
    const model = workshop.resolved(colourDetector(), COLOURS);
    await expect(openTask({ ...model, storeFolder: model.path }, {}, host)).rejects.toMatchObject({ code: 'EDGE_STORE_WRITE' });
  });
});

describe('a classifier as a task', () => {
  const classes = async (task: Task, payload: unknown) => ((await task.run(payload)).result as ClassificationResult).classes;
  const classifier: Partial<Manifest> = { task: 'classification', output: { head: 'softmax' } };

  it.each([false, true])('gives probabilities, best first, whether the graph ends in a softmax: %s', async (softmax) => {
    const task = await opened(classifier, {}, colourClassifier(softmax));
    const total = Math.E + 2;
    // 0, 1, 0 looks like a distribution: what was settled at the beginning holds.
    expect(await classes(task, plain(0, 255, 0))).toEqual([
      { label: 'green', score: expect.closeTo(Math.E / total, 3) },
      { label: 'red', score: expect.closeTo(1 / total, 3) },
      { label: 'blue', score: expect.closeTo(1 / total, 3) },
    ]);
  });

  it('leaves the values as they are where the manifest says so', async () => {
    const asIs = { ...classifier, output: { head: 'softmax', parameters: { softmax: false } } };
    const task = await opened(asIs, {}, colourClassifier());
    expect((await classes(task, plain(51, 153, 0)))[0]).toEqual({ label: 'green', score: expect.closeTo(0.6, 3) });
  });

  it('gives as many classes as asked', async () => {
    const task = await opened(classifier, { maxDetections: 1 }, colourClassifier());
    expect(await classes(task, plain(0, 0, 255))).toEqual([{ label: 'blue', score: expect.any(Number) }]);
  });
});

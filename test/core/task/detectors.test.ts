import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { intersectionOverUnion } from '../../../bench/support/average-precision';
import { InferenceHost } from '../../../core/inference/host';
import type { Box, Detection, DetectionResult } from '../../../core/message/results';
import { catalogue, ModelStore, openTask, resolveModel, type Task } from '../../../core/task';
import { describeWith, find, SHARED } from '../../support/needs';
import { Workshop } from './models';

const corners = (left: number, top: number, right: number, bottom: number): Box => ({
  x: left,
  y: top,
  width: right - left,
  height: bottom - top,
});

/** Measured by eye on the pictures, in pixels. */
const BUS = [
  { label: 'bus', box: corners(15, 230, 803, 745) },
  { label: 'person', box: corners(48, 398, 245, 903) },
  { label: 'person', box: corners(221, 405, 345, 858) },
  { label: 'person', box: corners(670, 390, 810, 878) },
];
const ZIDANE = [{ label: 'person', box: corners(745, 43, 1145, 712) }];
const FACES = [
  { label: 'face', box: corners(920, 100, 1055, 285) },
  { label: 'face', box: corners(555, 262, 656, 418) },
];

const picture = (name: string) => join(SHARED, 'data', 'vision', name);

/** The detections that lie on `expected` and have its label. */
function matching(found: readonly Detection[], expected: { label: string; box: Box }, overlap: number): Detection[] {
  return found.filter(({ label, box }) => label === expected.label && intersectionOverUnion(box, expected.box) >= overlap);
}

describeWith(['shared'], 'on real pictures', () => {
  const host = new InferenceHost(0);
  const workshop = new Workshop();
  const before = process.env.EDGELOOM_MODEL_MIRROR;
  beforeAll(() => {
    process.env.EDGELOOM_MODEL_MIRROR = join(SHARED, 'models');
  });
  afterAll(async () => {
    if (before === undefined) delete process.env.EDGELOOM_MODEL_MIRROR;
    else process.env.EDGELOOM_MODEL_MIRROR = before;
    await host.close();
    workshop.remove();
  });
  const entries = catalogue().filter((entry) => !entry.source.startsWith('package:') || find('detector') !== undefined);
  const openEntry = async (id: string): Promise<Task> =>
    openTask(await resolveModel(`catalogue:${id}`, { store: new ModelStore(workshop.folder) }), { threads: 1 }, host);
  const detect = async (task: Task, payload: unknown) => (await task.run(payload)).result as DetectionResult;

  describe.each(entries.filter((entry) => entry.labels.includes('person')).map((entry) => entry.id))('%s', (id) => {
    let task: Task;
    beforeAll(async () => {
      task = await openEntry(id);
    });
    afterAll(() => task.close());

    const known = (label: string) => catalogue().some((entry) => entry.id === id && entry.labels.includes(label));

    it('finds the bus and the people before it, each once', async () => {
      const { detections, image } = await detect(task, picture('bus.jpg'));
      expect(image).toEqual({ width: 810, height: 1080 });
      for (const expected of BUS.slice(0, 3).filter(({ label }) => known(label)))
        expect(matching(detections, expected, 0.6)).toHaveLength(1);
      expect(task.info.warnings).toEqual([]);
    });

    it('finds the man on the right', async () => {
      const { detections } = await detect(task, picture('zidane.jpg'));
      for (const expected of ZIDANE) expect(matching(detections, expected, 0.6)).toHaveLength(1);
    });

    it('finds most of what is large in 48 pictures of COCO, as labelled by people', async () => {
      // By label file: a picture without labelled objects has none.
      const names = readdirSync(picture('coco-labels')).sort().slice(0, 48);
      const labels = catalogue().find((entry) => entry.id === 'yolox-nano-416')!.labels;
      let large = 0;
      let found = 0;
      for (const name of names) {
        const { detections, image } = await detect(task, readFileSync(join(picture('coco'), name.replace('.txt', '.jpg'))));
        const lines = readFileSync(join(picture('coco-labels'), name), 'utf8')
          .trim()
          .split('\n');
        for (const line of lines) {
          const [classIndex, x, y, width, height] = line.split(' ').map(Number) as [number, number, number, number, number];
          if (width * height < 0.1 || !known(labels[classIndex]!)) continue;
          const box = corners(
            (x - width / 2) * image.width,
            (y - height / 2) * image.height,
            (x + width / 2) * image.width,
            (y + height / 2) * image.height,
          );
          large += 1;
          if (matching(detections, { label: labels[classIndex]!, box }, 0.5).length > 0) found += 1;
        }
      }
      expect(large).toBeGreaterThan(known('bus') ? 50 : 10);
      expect(found / large).toBeGreaterThan(0.5);
    });
  });

  // BlazeFace's front model sees near faces only: test/core/task/more-models.test.ts.
  const faces = entries.filter(({ id, labels }) => labels.includes('face') && id !== 'blazeface-front-128');
  describe.each(faces.map((entry) => entry.id))('%s', (id) => {
    it('finds two faces, each once', async () => {
      const task = await openEntry(id);
      const { detections } = await detect(task, picture('zidane.jpg'));
      for (const expected of FACES) expect(matching(detections, expected, 0.5)).toHaveLength(1);
      await task.close();
    });
  });

  it('yunet-n-320 finds eyes, nose and mouth where they are', async () => {
    const task = await openEntry('yunet-n-320');
    const { detections } = await detect(task, picture('zidane.jpg'));
    const [face] = matching(detections, FACES[0]!, 0.5);
    const [rightEye, leftEye, nose, rightMouth, leftMouth] = face!.keypoints!;
    // His right eye is on the picture's left; eyes above the nose, the nose above the mouth.
    expect(rightEye!.x).toBeLessThan(leftEye!.x);
    expect(rightMouth!.x).toBeLessThan(leftMouth!.x);
    expect(nose!.y).toBeGreaterThan(Math.max(rightEye!.y, leftEye!.y));
    expect(nose!.y).toBeLessThan(Math.min(rightMouth!.y, leftMouth!.y));
    for (const { x, y } of face!.keypoints!) {
      expect(x).toBeGreaterThan(face!.box.x);
      expect(x).toBeLessThan(face!.box.x + face!.box.width);
      expect(y).toBeGreaterThan(face!.box.y);
      expect(y).toBeLessThan(face!.box.y + face!.box.height);
    }
    await task.close();
  });

  it('a person detector that nobody described is recognised as YOLOX with one class', async () => {
    const source = join(SHARED, 'models', 'lightweight_person_detector.onnx');
    const manifest = { labels: ['person'] };
    const model = await resolveModel(source, { store: new ModelStore(workshop.folder), manifest });
    const task = await openTask(model, { threads: 1 }, host);
    const { detections } = await detect(task, picture('bus.jpg'));
    for (const expected of BUS.slice(1)) expect(matching(detections, expected, 0.5)).toHaveLength(1);
    await task.close();
  });
});

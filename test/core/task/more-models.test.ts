import { copyFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { InferenceHost } from '../../../core/inference/host';
import type { EmbeddingResult, PoseResult, SegmentationResult } from '../../../core/message/results';
import { importTfjs, readTfjs, type TfjsCut } from '../../../core/model/import/tfjs';
import type { PartialManifest } from '../../../core/model/manifest';
import { ModelStore, openTask, resolveModel, type Task } from '../../../core/task';
import { cosineSimilarity } from '../../../core/vision/heads/embedding';
import { cellsOf } from '../../../core/vision/mask';
import { describeWith, SHARED } from '../../support/needs';
import { fileOfPackage } from '../../support/npm-package';
import { Workshop } from './models';

const HUMAN = {
  name: '@vladmandic/human',
  version: '3.3.6',
  integrity: 'sha512-Nr5mPfq1gQ+uKeXY5uM3Fj8UxvF5CEh2s6txM5wRThqaW0mF9huooOuZSrT8hhGho0hGaXLFdAwfD/2+teCv6A==',
};

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

async function opened(path: string, manifest: PartialManifest = {}): Promise<Task> {
  const model = await resolveModel(path, { store: new ModelStore(workshop.folder), manifest });
  const task = await openTask(model, { threads: 1 }, host);
  open.push(task);
  return task;
}

const picture = (name: string) => join(SHARED, 'data', 'vision', name);
const part = (name: string, left: number, top: number, width: number, height: number) =>
  sharp(picture(name)).extract({ left, top, width, height });

describeWith(['shared'], 'a road, seen from a car', () => {
  const ROAD = join(SHARED, 'models', 'road_segmentation_adas_0001.onnx');
  const fed: PartialManifest = {
    labels: ['', 'road', 'curb', 'mark'],
    input: { kind: 'image', colours: 'bgr', mean: [0, 0, 0], scale: [1, 1, 1], fit: 'stretch' },
  };
  const roads = () => readdirSync(picture('driving/test_images')).map((name) => picture(`driving/test_images/${name}`));

  it('is found where it is in every picture, by a model of which only the preparation was said', async () => {
    const task = await opened(ROAD, fed);
    expect(task.info.manifest).toMatchObject({ task: 'segmentation', output: { head: 'class-map' } });
    for (const road of roads()) {
      const { result } = await task.run(road);
      const { image, classes, mask } = result as SegmentationResult;
      expect(image).toEqual({ width: 960, height: 540 });
      // A quarter to a half of the picture is road, a hundredth its markings; the sky is nothing and is not listed.
      const share = (label: string) => classes.find((each) => each.label === label)?.share ?? 0;
      expect(share('road')).toBeGreaterThan(0.25);
      expect(share('road')).toBeLessThan(0.5);
      expect(share('mark')).toBeGreaterThan(0.003);
      expect(share('mark')).toBeLessThan(0.03);
      expect(classes.every(({ class: index }) => index > 0)).toBe(true);
      expect(mask).toMatchObject({ width: 256, height: 144, encoding: 'runs' });
      const cells = cellsOf(mask!);
      const at = (x: number, y: number) => cells[Math.floor(y * 144) * 256 + Math.floor(x * 256)]!;
      expect(at(0.5, 0.1)).toBe(0);
      // Before the car's bonnet: road or what is painted on it.
      expect([1, 3]).toContain(at(0.5, 0.8));
      const painted = cells.filter((cell) => cell === 1).length / cells.length;
      expect(painted).toBeCloseTo(share('road'), 1);
    }
  }, 60_000);

  it('fits into a small message, and can do without the mask', async () => {
    const [road] = roads();
    const small = (await (await opened(ROAD, fed)).run(road!)).result;
    expect(JSON.stringify(small).length).toBeLessThan(8_000);
    const bare = await opened(ROAD, { ...fed, output: { parameters: { maskSize: 0 } } });
    const { mask, classes } = (await bare.run(road!)).result as SegmentationResult;
    expect(mask).toBeUndefined();
    expect(classes).toEqual((small as SegmentationResult).classes);
    const whole = await opened(ROAD, { ...fed, output: { parameters: { maskSize: 1024 } } });
    expect(((await whole.run(road!)).result as SegmentationResult).mask).toMatchObject({ width: 960, height: 540 });
  }, 60_000);

  it('takes as much of a letterboxed picture, whose bars count for nothing', async () => {
    const [road] = roads();
    const share = async (fit: 'stretch' | 'letterbox') => {
      const task = await opened(ROAD, { ...fed, input: { ...fed.input, fit } as PartialManifest['input'] & object });
      const { classes } = (await task.run(road!)).result as SegmentationResult;
      return classes.find(({ label }) => label === 'road')!.share;
    };
    expect(await share('letterbox')).toBeCloseTo(await share('stretch'), 1);
  }, 60_000);
});

describeWith(['shared', 'registry'], 'models that TensorFlow.js brings', () => {
  const imported = (name: string, cut?: TfjsCut): string => {
    const file = (ending: string) => fileOfPackage(HUMAN, `models/${name}.${ending}`);
    const path = join(workshop.folder, `${name}.onnx`);
    writeFileSync(
      path,
      importTfjs(
        readTfjs(file('json').toString('utf8'), () => file('bin')),
        cut,
      ),
    );
    return path;
  };

  it('MoveNet finds the joints of people where they are, and nobody in a picture of a street without one', async () => {
    const task = await opened(imported('movenet-lightning'));
    expect(task.info.manifest).toMatchObject({ task: 'pose', output: { head: 'movenet' }, input: { fit: 'letterbox' } });
    expect(task.info.warnings).toEqual([]);
    // A man walking to the left of the bus, and a woman beside him.
    for (const [left, top, width, height] of [
      [20, 370, 260, 560],
      [200, 380, 170, 500],
    ] as const) {
      const { result } = await task.run(await part('bus.jpg', left, top, width, height).png().toBuffer());
      const { schema, image, detections, skeleton } = result as PoseResult;
      expect({ schema, image }).toEqual({ schema: 'edgeloom/poses/1', image: { width, height } });
      expect(detections).toHaveLength(1);
      const { label, score, box, keypoints } = detections[0]!;
      expect(label).toBe('person');
      expect(score).toBeGreaterThan(0.5);
      const at = (name: string) => keypoints!.find((point) => point.name === name)!;
      const order = ['nose', 'left shoulder', 'left hip', 'left knee', 'left ankle'].map((name) => at(name).y);
      expect(order).toEqual([...order].sort((a, b) => a - b));
      // Both face the camera: their right is on the picture's left.
      expect(at('right shoulder').x).toBeLessThan(at('left shoulder').x);
      expect(box.height).toBeGreaterThan(0.6 * height);
      expect(skeleton).toHaveLength(16);
      for (const [from, to] of skeleton) expect([keypoints![from], keypoints![to]]).not.toContain(undefined);
    }
    const street = await part('bus.jpg', 300, 0, 200, 200).png().toBuffer();
    expect(((await task.run(street)).result as PoseResult).detections).toEqual([]);
  }, 120_000);

  it('an embedding of faces is nearer between two pictures of one man than between two men', async () => {
    const path = imported('faceres', {
      inputs: [{ at: 'input_1', shape: [1, 224, 224, 3] }],
      outputs: [{ at: 'global_pooling/Mean', name: 'features' }],
    });
    const input = { kind: 'image' as const, colours: 'rgb' as const, mean: [0, 0, 0], scale: [1, 1, 1], fit: 'stretch' as const };
    // A vector of numbers could be classes as well: nothing is guessed.
    await expect(opened(path, { input })).rejects.toThrow(
      /task \(classification or embedding or tensors\) could not be found out/,
    );
    const task = await opened(path, { task: 'embedding', input });
    const vectorOf = async (face: sharp.Sharp) => {
      const { result } = await task.run(await face.png().toBuffer());
      const { schema, vector } = result as EmbeddingResult;
      expect({ schema, length: vector.length }).toEqual({ schema: 'edgeloom/embedding/1', length: 1024 });
      expect(vector.reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(1, 3);
      return vector;
    };
    const right = await vectorOf(part('zidane.jpg', 900, 90, 180, 210));
    const closer = await vectorOf(part('zidane.jpg', 910, 100, 165, 190));
    const mirrored = await vectorOf(part('zidane.jpg', 900, 90, 180, 210).flop());
    const left = await vectorOf(part('zidane.jpg', 545, 250, 120, 180));
    expect(cosineSimilarity(right, closer)).toBeGreaterThan(0.85);
    expect(cosineSimilarity(right, mirrored)).toBeGreaterThan(0.8);
    expect(cosineSimilarity(right, left)).toBeLessThan(0.6);
  }, 120_000);
});

describeWith(['shared'], 'BlazeFace', () => {
  it('finds a near face with eyes, nose and mouth in their places', async () => {
    const copy = join(workshop.folder, 'faces.onnx');
    copyFileSync(join(SHARED, 'models', 'blazeface_front_128.onnx'), copy);
    const task = await opened(copy);
    expect(task.info.manifest).toMatchObject({ output: { head: 'blazeface' }, labels: ['face'] });
    const { result } = await task.run(await part('zidane.jpg', 740, 0, 480, 480).png().toBuffer());
    const { detections } = result as PoseResult;
    expect(detections).toHaveLength(1);
    const { box, keypoints } = detections[0]!;
    // The face lies at 180 to 315 and 100 to 285 of this part.
    expect(box.x + box.width / 2).toBeGreaterThan(215);
    expect(box.x + box.width / 2).toBeLessThan(275);
    expect(box.y + box.height / 2).toBeGreaterThan(180);
    expect(box.y + box.height / 2).toBeLessThan(240);
    const at = (name: string) => keypoints!.find((point) => point.name === name)!;
    expect(at('right eye').x).toBeLessThan(at('left eye').x);
    expect(at('nose').y).toBeGreaterThan(at('right eye').y);
    expect(at('mouth').y).toBeGreaterThan(at('nose').y);
    for (const { x, y } of [at('right eye'), at('left eye'), at('nose'), at('mouth')]) {
      expect(x).toBeGreaterThan(180);
      expect(x).toBeLessThan(315);
      expect(y).toBeGreaterThan(100);
      expect(y).toBeLessThan(285);
    }
  }, 60_000);
});

import { copyFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { onnxModel } from '../../../bench/support/graph';
import { InferenceHost } from '../../../core/inference/host';
import type { ClassificationResult, EmbeddingResult, PoseResult, SegmentationResult } from '../../../core/message/results';
import { importTfjs, readTfjs, type TfjsCut } from '../../../core/model/import/tfjs';
import type { ImageInput, Manifest, PartialManifest } from '../../../core/model/manifest';
import { readModel, writeModel } from '../../../core/model/onnx/graph';
import { create, ModelProtoSchema } from '../../../core/model/onnx/protobuf';
import { inspectModel, ModelStore, openTask, resolveModel, type Task, type TaskOptions } from '../../../core/task';
import { checkGolden } from '../../../core/task/golden';
import { cellsOf } from '../../../core/vision/class-mask';
import { cosineSimilarity } from '../../../core/vision/heads/embedding';
import { describeWith, SHARED } from '../../support/needs';
import { fileOfPackage } from '../../support/npm-package';
import { COLOURS, plain, poseOrDetector, SIDE, Workshop } from './models';

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

describeWith(['shared'], 'YuNet for pictures of any size', () => {
  it('asks for the size alone, and finds the faces at the size that was said', async () => {
    const any = join(SHARED, 'models', 'yunet_n_dynamic.onnx');
    await expect(opened(any)).rejects.toThrow(/: input\.width, input\.height could not be found out/);
    const task = await opened(any, { input: { kind: 'image', width: 640, height: 384 } });
    expect(task.info.manifest).toMatchObject({ output: { head: 'yunet' }, labels: ['face'], input: { colours: 'bgr' } });
    const { detections } = (await task.run(picture('zidane.jpg'))).result as PoseResult;
    const centres = detections.map(({ box }) => [box.x + box.width / 2, box.y + box.height / 2] as const);
    for (const [x, y] of [
      [987, 192],
      [605, 340],
    ] as const) {
      expect(centres.filter(([left, top]) => Math.abs(left - x) < 50 && Math.abs(top - y) < 60)).toHaveLength(1);
    }
  }, 60_000);
});

describe('a model that its exporter described', () => {
  const described = (name: string, bytes: Uint8Array, properties: Record<string, string>): string => {
    const model = readModel(bytes);
    const metadataProps = Object.entries(properties).map(([key, value]) => ({ key, value }));
    model.metadataProps = create(ModelProtoSchema, { metadataProps }).metadataProps;
    const path = join(workshop.folder, name);
    writeFileSync(path, writeModel(model));
    return path;
  };
  const ULTRALYTICS = { stride: '32', batch: '1', imgsz: '[128, 128]', end2end: 'False' };

  it('needs no answers: what would fit two families is a pose, with the names and points that the exporter wrote', async () => {
    const alike = poseOrDetector();
    const task = await opened(
      described('pose.onnx', alike, { ...ULTRALYTICS, task: 'pose', names: "{0: 'worker'}", kpt_shape: '[17, 3]' }),
    );
    expect(task.info.manifest).toMatchObject({
      task: 'pose',
      output: { head: 'yolov8-pose', parameters: { keypointShape: [17, 3] } },
      input: { colours: 'rgb', fit: 'letterbox', padding: 114 },
    });
    expect(task.info.warnings).toEqual([]);
    const { detections, image, skeleton } = (await task.run(plain(255, 255, 255, 256, 128))).result as PoseResult;
    // 256x128 lies in the middle of 128x128 at half its size, 32 down: the box from 0 to 64 begins above the picture.
    expect(detections).toEqual([
      {
        label: 'worker',
        score: 1,
        box: { x: 0, y: 0, width: 128, height: 64 },
        keypoints: expect.arrayContaining([{ name: 'nose', x: 64, y: 0, score: 0.9 }]),
      },
    ]);
    expect({ image, limbs: skeleton.length }).toEqual({ image: { width: 256, height: 128 }, limbs: 16 });
  });

  it('is a detector where the exporter says so, and labels of another number are a warning', async () => {
    const path = described('detector.onnx', poseOrDetector(), { ...ULTRALYTICS, task: 'detect', names: "{0: 'a', 1: 'b'}" });
    const { manifest, warnings } = await inspectModel(path, { store: new ModelStore(workshop.folder) });
    expect(manifest).toMatchObject({ task: 'detection', output: { head: 'yolov8' }, labels: ['a', 'b'] });
    expect(warnings).toEqual(['The outputs are of 52 classes and there are 2 labels']);
  });

  it('is refused with the reason where it finds rotated boxes', async () => {
    const path = described('rotated.onnx', poseOrDetector(), { ...ULTRALYTICS, task: 'obb', names: "{0: 'ship'}" });
    const { missing, warnings } = await inspectModel(path, { store: new ModelStore(workshop.folder) });
    expect(missing).toContain('output.head');
    expect(warnings).toEqual(['It finds rotated boxes (obb), which no family of this palette reads']);
  });
});

describe('a segmentation as a task', () => {
  /** Scores of three classes are the picture's own colours: every cell is of its strongest colour. */
  const colours = (shape: (number | string)[], axis: 'first' | 'last' = 'first') =>
    onnxModel({
      inputs: [{ name: 'image', shape: [1, 3, SIDE, SIDE] }],
      outputs: [{ name: 'scores', shape }],
      nodes: [
        axis === 'first'
          ? { operator: 'Identity', inputs: ['image'], outputs: ['scores'] }
          : { operator: 'Transpose', inputs: ['image'], outputs: ['scores'], integers: { perm: [0, 2, 3, 1] } },
      ],
    });
  const manifest: Manifest = { ...COLOURS, task: 'segmentation', output: { head: 'class-map' } };
  const segmenting = async (bytes: Uint8Array, change: Partial<Manifest> = {}, options: TaskOptions = {}) => {
    const task = await openTask(workshop.resolved(bytes, { ...manifest, ...change }), { threads: 1, ...options }, host);
    open.push(task);
    return task;
  };
  /** Left third red, the rest blue. */
  const flag = { width: 96, height: 64, data: new Uint8Array(96 * 64 * 3) };
  for (let cell = 0; cell < 96 * 64; cell++) flag.data[3 * cell + (cell % 96 < 32 ? 0 : 2)] = 255;

  it.each(['first', 'last'] as const)('gives shares of the picture and its mask, with the classes %s', async (axis) => {
    const shape = axis === 'first' ? [1, 3, SIDE, SIDE] : [1, SIDE, SIDE, 3];
    const { result } = await (await segmenting(colours(shape, axis))).run(flag);
    const { classes, mask, ...rest } = result as SegmentationResult;
    expect(rest).toEqual({ schema: 'edgeloom/segmentation/1', model: 'colours@3', image: { width: 96, height: 64 } });
    expect(classes).toEqual([
      { class: 2, label: 'blue', share: expect.closeTo(2 / 3, 1) },
      { class: 0, label: 'red', share: expect.closeTo(1 / 3, 1) },
    ]);
    const cells = cellsOf(mask!);
    expect([mask!.width, mask!.height, cells[0], cells[95]]).toEqual([96, 64, 0, 2]);
  });

  it('keeps to the labels that are asked for, and leaves unnamed classes out', async () => {
    const shape = [1, 3, SIDE, SIDE];
    const labels = async (change: Partial<Manifest>, options: TaskOptions = {}) => {
      const { result } = await (await segmenting(colours(shape), change, options)).run(flag);
      return (result as SegmentationResult).classes.map(({ label }) => label);
    };
    expect(await labels({ labels: ['', 'green', 'blue'] })).toEqual(['blue']);
    expect(await labels({}, { labels: ['red'] })).toEqual(['red']);
    const nameless = await segmenting(colours(shape), { labels: [] });
    expect(nameless.info.warnings).toEqual([expect.stringMatching(/names none of its classes/)]);
  });

  it('is checked by the shares that its golden samples expect', async () => {
    const checked = (share: number) => {
      const classes = [{ class: 2, label: 'blue', share }];
      const golden = [{ input: 'flag.png', expected: { classes } }];
      const model = workshop.resolved(colours([1, 3, SIDE, SIDE]), { ...manifest, golden });
      return checkGolden({ ...model, folder: workshop.folder }, { threads: 1 }, host);
    };
    const raw = { width: flag.width, height: flag.height, channels: 3 as const };
    writeFileSync(join(workshop.folder, 'flag.png'), await sharp(flag.data, { raw }).png().toBuffer());
    await expect(checked(0.67)).resolves.toBeUndefined();
    await expect(checked(0.2)).rejects.toMatchObject({
      code: 'EDGE_MODEL_GOLDEN',
      message: expect.stringContaining('"blue" has 0.6'),
    });
  });

  it('is refused where the picture is not whole, or the settings are none', async () => {
    const bytes = colours([1, 3, SIDE, SIDE]);
    const input = { ...(COLOURS.input as ImageInput), fit: 'cover' as const };
    await expect(segmenting(bytes, { input })).rejects.toMatchObject({ code: 'EDGE_MODEL_MANIFEST' });
    for (const parameters of [{ maskSize: -1 }, { maskSize: 1e9 }, { layout: 'CHW' }, { output: 5 }, { output: 'other' }]) {
      const output = { head: 'class-map', parameters };
      await expect(segmenting(bytes, { output })).rejects.toMatchObject({ code: 'EDGE_MODEL_MANIFEST' });
    }
  });
});

describeWith(['shared'], 'a classifier of digits', () => {
  /** As somebody writes them: strokes on a square of 280. */
  const STROKES: Record<string, string> = {
    0: 'M140 60C70 60 70 220 140 220C210 220 210 60 140 60',
    1: 'M140 60V220',
    2: 'M90 95C100 45 190 50 185 105C180 150 100 180 85 215H200',
    3: 'M90 70H185L130 125C200 130 205 215 140 217C110 218 95 205 88 190',
    4: 'M100 60L85 150H195M165 90V225',
    7: 'M80 70H200L120 220',
  };
  const drawn = (stroke: string) => {
    const line = `fill="none" stroke="#fff" stroke-width="24" stroke-linecap="round" stroke-linejoin="round"`;
    const square = `<svg xmlns="http://www.w3.org/2000/svg" width="280" height="280"><rect width="280" height="280"/>`;
    return sharp(Buffer.from(`${square}<path d="${stroke}" ${line}/></svg>`))
      .png()
      .toBuffer();
  };

  it('reads every digit, from logits and one grey channel', async () => {
    const task = await opened(join(SHARED, 'models', 'mnist.onnx'), {
      task: 'classification',
      labels: [...'0123456789'],
      input: { kind: 'image', mean: [0], scale: [1 / 255], fit: 'stretch' },
    });
    expect(task.info.manifest.input).toMatchObject({ colours: 'grey', width: 28, height: 28, layout: 'NCHW' });
    for (const [digit, stroke] of Object.entries(STROKES)) {
      const { classes } = (await task.run(await drawn(stroke))).result as ClassificationResult;
      expect(classes).toHaveLength(5);
      expect(classes[0]).toEqual({ label: digit, score: expect.closeTo(1, 1) });
    }
  });
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

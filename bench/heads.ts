import type { TensorValue } from '../core/message/tensor';
import type { ImageInput, Manifest } from '../core/model/manifest';
import { CLASS_MAP_OUTPUT } from '../core/model/onnx/fold-class-map';
import { decoderFor } from '../core/task/decoders';
import type { Bench } from './support/bench';
import { mulberry } from './support/graph';
import { median } from './support/statistics';

const ROUNDS = 9;
const RUNS_PER_ROUND = 20;
const OBJECTS = 20;

interface Case {
  name: string;
  task: Manifest['task'];
  head: string;
  side: number;
  labels: number;
  shapes: Record<string, number[]>;
  /** Puts object `index` of `OBJECTS` into the outputs. */
  put(outputs: Record<string, Float32Array>, index: number): void;
  parameters?: Record<string, unknown>;
}

/** What real models of these families give for one picture: noise below the threshold, and twenty things above it. */
const CASES: readonly Case[] = [
  {
    name: 'yolov8-8400',
    task: 'detection',
    head: 'yolov8',
    side: 640,
    labels: 80,
    shapes: { output0: [1, 84, 8400] },
    put: ({ output0 }, index) => {
      for (const [row, value] of [32 * index, 100, 30, 30].entries()) output0![row * 8400 + index * 400] = value;
      output0![(4 + index) * 8400 + index * 400] = 0.9;
    },
  },
  {
    name: 'yolov5-25200',
    task: 'detection',
    head: 'yolov5',
    side: 640,
    labels: 80,
    shapes: { output0: [1, 25_200, 85] },
    put: ({ output0 }, index) => {
      output0!.set([32 * index, 100, 30, 30, 0.9], index * 1200 * 85);
      output0![index * 1200 * 85 + 5 + index] = 0.9;
    },
  },
  {
    name: 'yolox-8400',
    task: 'detection',
    head: 'yolox',
    side: 640,
    labels: 80,
    shapes: { output: [1, 8400, 85] },
    put: ({ output }, index) => {
      output!.set([0, 0, 1, 1, 0.9], index * 400 * 85);
      output![index * 400 * 85 + 5 + index] = 0.9;
    },
  },
  {
    name: 'yolov8-pose-8400',
    task: 'pose',
    head: 'yolov8-pose',
    side: 640,
    labels: 1,
    shapes: { output0: [1, 56, 8400] },
    put: ({ output0 }, index) => {
      for (const [row, value] of [32 * index, 100, 30, 30, 0.9].entries()) output0![row * 8400 + index * 400] = value;
    },
  },
  {
    name: 'end-to-end-300',
    task: 'detection',
    head: 'end-to-end',
    side: 640,
    labels: 80,
    shapes: { output0: [1, 300, 6] },
    put: ({ output0 }, index) => output0!.set([32 * index, 100, 32 * index + 30, 130, 0.9, index], index * 6),
  },
  {
    name: 'blazeface-896',
    task: 'detection',
    head: 'blazeface',
    side: 128,
    labels: 1,
    shapes: { boxes: [1, 896, 16], scores: [1, 896, 1] },
    put: ({ boxes, scores }, index) => {
      if (index === 0) scores!.fill(-8);
      scores![index * 20] = 3;
      boxes!.set([0, 0, 20, 20], index * 20 * 16);
    },
  },
  {
    name: 'segmentation-896x512',
    task: 'segmentation',
    head: 'class-map',
    side: 0,
    labels: 4,
    shapes: { [CLASS_MAP_OUTPUT]: [1, 512, 896] },
    put: () => {},
  },
];

/**
 * `decode_ms`: one model's outputs as a result in pixels of the picture, on Node-RED's thread: what a head adds to every
 * picture. Made-up outputs of real sizes, twenty things found; medians of interleaved rounds.
 */
export default async function heads(bench: Bench): Promise<void> {
  const wanted = CASES.filter(({ name }) => bench.options.rest.length === 0 || bench.options.rest.includes(name));
  const timed = wanted.map((each) => ({ name: each.name, decode: prepared(each), times: [] as number[] }));
  for (let round = -3; round < ROUNDS; round++) {
    for (const { decode, times } of timed) {
      const each: number[] = [];
      for (let run = 0; run < RUNS_PER_ROUND; run++) {
        const started = performance.now();
        decode();
        each.push(performance.now() - started);
      }
      // The first rounds warm up.
      if (round >= 0) times.push(median(each));
    }
  }
  for (const { name, times } of timed) {
    const target = name.startsWith('segmentation') ? '< 5' : '< 1';
    bench.record({ case: name, measure: 'decode_ms', value: median(times), unit: 'ms', target });
  }
}

function prepared({ name, task, head, side, labels, shapes, put, parameters }: Case): () => unknown {
  const isMap = task === 'segmentation';
  const size = isMap ? { width: 896, height: 512 } : { width: side, height: side };
  const input: ImageInput = {
    kind: 'image',
    ...size,
    layout: 'NCHW',
    colours: 'rgb',
    mean: [0, 0, 0],
    scale: [1, 1, 1],
    fit: 'stretch',
  };
  const manifest: Manifest = {
    id: name,
    version: '1',
    title: name,
    task,
    licence: { id: 'MIT', commercialUse: true },
    source: 'made up',
    input,
    output: { head, ...(parameters ? { parameters } : {}) },
    labels: Array.from({ length: labels }, (_, index) => `label ${index}`),
    quantization: 'none',
  };
  const outputs = isMap ? classMap(shapes) : noise(shapes, put);
  const decoder = decoderFor(manifest, input, {});
  decoder.settle(outputs);
  const placement = { sourceWidth: 1920, sourceHeight: 1080, scaleX: size.width / 1920, scaleY: size.height / 1080 };
  return () => decoder.decode(outputs, { ...placement, offsetX: 0, offsetY: 0 });
}

function noise(shapes: Case['shapes'], put: Case['put']): Record<string, TensorValue> {
  const random = mulberry(7);
  const data = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, Float32Array.from({ length: count(shape) }, () => random() * 0.05)]),
  );
  for (let index = 0; index < OBJECTS; index++) put(data, index);
  return Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, { type: 'float32', shape, data: data[name]! }]));
}

/** A road that grows narrower to the horizon, with a line in its middle. */
function classMap(shapes: Case['shapes']): Record<string, TensorValue> {
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const [, height, width] = shape as [number, number, number];
      const data = new Uint8Array(height * width);
      for (let row = height / 2; row < height; row++) {
        const half = (row - height / 2) * 1.5;
        for (let column = 0; column < width; column++) {
          const away = Math.abs(column - width / 2);
          if (away < half) data[row * width + column] = away < half / 40 ? 3 : 1;
        }
      }
      return [name, { type: 'uint8', shape, data }];
    }),
  );
}

function count(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

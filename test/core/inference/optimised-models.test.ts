import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convolutionalModel, onnxModel } from '../../../bench/support/graph';
import { openOptimised } from '../../../core/inference/backends/optimised-models';
import { InferenceHost } from '../../../core/inference/host';
import type { TensorValue } from '../../../core/message/tensor';

const folder = mkdtempSync(join(tmpdir(), 'edgeloom-optimised-'));
afterAll(() => rmSync(folder, { recursive: true }));

const model = join(folder, 'model.onnx');
// Five layers of 160 channels are 0.9 MB: above what is not worth keeping.
writeFileSync(model, convolutionalModel(16, 160, 2));
const image: TensorValue = {
  type: 'float32',
  shape: [1, 3, 16, 16],
  data: Float32Array.from({ length: 768 }, (_, index) => Math.sin(index)),
};

let count = 0;
const emptyStore = () => join(folder, `store-${count++}`);
const kept = (store: string) => readdirSync(store).filter((name) => name.endsWith('.onnx'));

/** The scores that a new host gives for the picture. */
async function run(store: string, path = model): Promise<Float32Array> {
  const host = new InferenceHost(0);
  try {
    const optimised = { folder: store, name: 'a'.repeat(64) };
    const lease = await host.acquire({ path, sha256: 'model', placement: 'worker', options: { threads: 1, optimised } });
    return (await lease.run({ image })).outputs.scores!.data as Float32Array;
  } finally {
    await host.close();
  }
}

describe('the optimised graph of a model', () => {
  it('is kept when the model is first opened, is opened afterwards, and computes exactly the same', async () => {
    const store = emptyStore();
    const first = await run(store);
    const [name] = kept(store);
    expect(name).toMatch(/^a{64}-[0-9a-f]{16}\.([0-9a-f]{8}|unchecked)\.onnx$/);
    const path = join(store, name!);
    utimesSync(path, new Date(0), new Date(0));
    // Whatever the model's file says now is not looked at: the hash that was given says what it was.
    writeFileSync(join(folder, 'other.onnx'), 'not a model');
    expect(await run(store, join(folder, 'other.onnx'))).toEqual(first);
    expect(statSync(path).mtimeMs).toBeGreaterThan(0);
    expect(readdirSync(store)).toEqual([name]);
  });

  it.each([
    ['cut short', (path: string) => truncateSync(path, statSync(path).size >> 1)],
    ['empty', (path: string) => truncateSync(path, 0)],
    [
      'changed in one bit of a weight',
      (path: string) => {
        const bytes = readFileSync(path);
        bytes[bytes.length >> 1]! ^= 1;
        writeFileSync(path, bytes);
      },
    ],
  ])('is deleted and made anew when it is %s', async (_name, damage) => {
    const store = emptyStore();
    const first = await run(store);
    const [name] = kept(store);
    damage(join(store, name!));
    expect(await run(store)).toEqual(first);
    expect(kept(store)).toEqual([name]);
    expect(await run(store, join(folder, 'nowhere.onnx'))).toEqual(first);
  });

  it('is deleted when the engine refuses it, and the model itself is opened', async () => {
    const store = emptyStore();
    const opened: string[] = [];
    const create = async (path: string, { writeTo }: { writeTo?: string; asItIs?: boolean }) => {
      if (path !== model) throw new Error('refused');
      if (writeTo) writeFileSync(writeTo, `graph ${opened.length}`);
      opened.push(path);
      return opened.length;
    };
    const spec = { folder: store, name: 'b', made: ['1.0'] };
    expect(await openOptimised(model, spec, create)).toBe(1);
    expect(await openOptimised(model, spec, create)).toBe(2);
    expect(kept(store)).toHaveLength(1);
    expect(readFileSync(join(store, kept(store)[0]!), 'utf8')).toBe('graph 1');
  });

  it('is another for another version of the engine or other options', async () => {
    const store = emptyStore();
    const create = async (_path: string, { writeTo }: { writeTo?: string }) => {
      if (writeTo) writeFileSync(writeTo, 'graph');
    };
    for (const made of [
      ['1.0', false],
      ['1.1', false],
      ['1.0', true],
      ['1.0', false],
    ])
      await openOptimised(model, { folder: store, name: 'c', made }, create);
    expect(kept(store)).toHaveLength(3);
  });

  it('gives way to newer ones when all together are too large, the least recently used first', async () => {
    const store = emptyStore();
    mkdirSync(store);
    // Sparse files: sizes without bytes.
    const old = ['d-1.00000000.onnx', 'd-2.00000000.onnx', 'd-3.00000000.onnx'];
    old.forEach((name, index) => {
      writeFileSync(join(store, name), '');
      truncateSync(join(store, name), 250e6);
      utimesSync(join(store, name), index + 1, index + 1);
    });
    writeFileSync(join(store, '.partial-1-stale'), 'left by a power cut');
    utimesSync(join(store, '.partial-1-stale'), 1, 1);
    const create = async (_path: string, { writeTo }: { writeTo?: string }) => {
      if (writeTo) writeFileSync(writeTo, 'graph');
    };
    await openOptimised(model, { folder: store, name: 'e', made: [] }, create);
    const left = readdirSync(store).sort();
    expect(left).toHaveLength(3);
    expect(left.slice(0, 2)).toEqual(old.slice(1));
    expect(left[2]).toMatch(/^e-/);
  });

  it('is not kept of a model that opens in a moment, nor of one whose weights lie in other files', async () => {
    const store = emptyStore();
    const small = join(folder, 'small.onnx');
    writeFileSync(small, convolutionalModel(16, 4, 1));
    await run(store, small);
    const outside = join(folder, 'outside.onnx');
    const parts = onnxModel({
      inputs: [{ name: 'image', shape: [1, 3, 16, 16] }],
      outputs: [{ name: 'scores', shape: [1, 3, 16, 16] }],
      nodes: [
        { operator: 'Add', inputs: ['image', 'shift'], outputs: ['sum'] },
        { operator: 'Mul', inputs: ['sum', 'ballast'], outputs: ['scores'] },
      ],
      constants: [
        { name: 'shift', shape: [16], values: new Float32Array(16), externalFile: 'outside.bin' },
        { name: 'ballast', shape: [200_000, 1, 1, 1], values: new Float32Array(200_000).fill(1) },
      ],
    });
    writeFileSync(outside, parts);
    const seen: (string | undefined)[] = [];
    await openOptimised(outside, { folder: store, name: 'f', made: [] }, async (_path, { writeTo }) => seen.push(writeTo));
    expect(seen).toEqual([undefined]);
  });

  it('changes nothing where nothing can be written, nor for a model that is refused', async () => {
    const file = join(folder, 'a-file');
    writeFileSync(file, '');
    expect(await run(join(file, 'store'))).toHaveLength(160);
    const broken = join(folder, 'broken.onnx');
    writeFileSync(broken, readFileSync(model).subarray(0, 700_000));
    const store = emptyStore();
    await expect(run(store, broken)).rejects.toMatchObject({ code: 'EDGE_MODEL_INVALID' });
    expect(readdirSync(store)).toEqual([]);
  });
});

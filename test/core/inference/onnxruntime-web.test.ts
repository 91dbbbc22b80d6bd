import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { convolutionalModel, type Graph, onnxModel } from '../../../bench/support/graph';
import { InferenceHost, type Lease } from '../../../core/inference/host';
import { ELEMENT_ARRAYS, type ElementType, type TensorValue } from '../../../core/message/tensor';
import { modelFolder } from '../../support/models';

// Every session here compiles the engine anew, which takes seconds on a busy machine.
jest.setTimeout(120_000);

const write = modelFolder();
const host = new InferenceHost(0);
afterAll(() => host.close());

let count = 0;
function open(model: Graph | Uint8Array | string, options: { placement?: 'auto' | 'worker' | 'main'; threads?: number } = {}) {
  const bytes = typeof model === 'object' && !(model instanceof Uint8Array) ? onnxModel(model) : model;
  const { placement = 'worker', threads } = options;
  const path = write(`web-${count}.onnx`, bytes);
  return host.acquire({
    path,
    sha256: `web-${count++}`,
    backend: 'onnxruntime-web',
    placement,
    options: threads === undefined ? {} : { threads },
  });
}

const doubled: Graph = {
  inputs: [{ name: 'x', shape: ['rows', 3] }],
  outputs: [{ name: 'y', shape: ['rows', 3] }],
  nodes: [{ operator: 'Add', inputs: ['x', 'x'], outputs: ['y'] }],
};
const network = convolutionalModel(32, 8, 3);
const image: TensorValue = {
  type: 'float32',
  shape: [1, 3, 32, 32],
  data: Float32Array.from({ length: 3 * 32 * 32 }, (_, index) => Math.sin(index)),
};

describe('ONNX Runtime in WebAssembly', () => {
  it('gives what the native engine gives, with one thread and with two', async () => {
    const native = await host.acquire({ path: write('native.onnx', network), sha256: 'native', placement: 'worker' });
    const expected = (await native.run({ image })).outputs.scores!.data as Float32Array;
    for (const threads of [1, 2]) {
      const lease = await open(network, { threads });
      expect(lease.info).toMatchObject({
        backend: 'onnxruntime-web',
        engineVersion: expect.stringMatching(/^1\.\d+/),
        threads,
        placement: 'worker',
      });
      const scores = (await lease.run({ image })).outputs.scores!.data as Float32Array;
      const furthest = Math.max(...scores.map((score, index) => Math.abs(score - expected[index]!)));
      expect(furthest).toBeLessThan(1e-5);
      await lease.release();
    }
  });

  it('carries every element type there and back', async () => {
    const types = Object.keys(ELEMENT_ARRAYS) as ElementType[];
    const lease = await open({
      inputs: types.map((type) => ({ name: `${type} in`, type, shape: [2, 2] })),
      outputs: types.map((type) => ({ name: `${type} out`, type, shape: [2, 2] })),
      nodes: types.map((type) => ({ operator: 'Identity', inputs: [`${type} in`], outputs: [`${type} out`] })),
    });
    const value = (type: ElementType): TensorValue => {
      const data = new ELEMENT_ARRAYS[type](4);
      data.set((data instanceof BigInt64Array || data instanceof BigUint64Array ? [0n, 1n, 1n, 7n] : [0, 1, 1, 1]) as never);
      return { type, shape: [2, 2], data } as TensorValue;
    };
    const { outputs } = await lease.run(Object.fromEntries(types.map((type) => [`${type} in`, value(type)])));
    for (const type of types) expect(outputs[`${type} out`]).toEqual(value(type));
    await lease.release();
  });

  it('takes dimensions that vary, and gives each of many runs arrays of its own', async () => {
    const lease = await open(doubled);
    const run = async (rows: number, first: number) => {
      const x: TensorValue = { type: 'float32', shape: [rows, 3], data: new Float32Array(rows * 3).fill(first) };
      return (await lease.run({ x })).outputs.y!;
    };
    expect((await run(90_000, 7)).shape).toEqual([90_000, 3]);
    const results = await Promise.all(Array.from({ length: 50 }, (_, index) => run(1, index)));
    expect(results.map(({ data }) => data[2])).toEqual(Array.from({ length: 50 }, (_, index) => 2 * index));
    expect(new Set(results.map(({ data }) => data.buffer)).size).toBe(50);
    await lease.release();
  });

  it.each(['auto', 'main'] as const)('runs a tiny model in a thread of its own when placed by %s', async (placement) => {
    const lease = await open(doubled, { placement });
    expect(lease.info.placement).toBe('worker');
    expect(lease.info.notes).toEqual(placement === 'main' ? ['onnxruntime-web runs in a thread of its own only'] : []);
    await lease.release();
  });

  it.each([
    ['an empty file', new Uint8Array(0), 'EDGE_MODEL_INVALID'],
    ['a text', 'not a model, but a sentence that is long enough to be read as one', 'EDGE_MODEL_INVALID'],
    ['half a model', network.subarray(0, network.length >> 1), 'EDGE_MODEL_INVALID'],
    [
      'an operator that nobody knows',
      { ...doubled, nodes: [{ operator: 'Divination', inputs: ['x'], outputs: ['y'] }] },
      'EDGE_MODEL_UNSUPPORTED',
    ],
    ['a newer standard', onnxModel(doubled, 999), 'EDGE_MODEL_UNSUPPORTED'],
    [
      'weights that lie in another file',
      {
        ...doubled,
        nodes: [{ operator: 'Add', inputs: ['x', 'w'], outputs: ['y'] }],
        constants: [{ name: 'w', shape: [3], values: new Float32Array(3), externalFile: '../../etc/passwd' }],
      },
      'EDGE_MODEL_EXTERNAL_DATA',
    ],
  ] as [string, Graph | Uint8Array | string, string][])('refuses %s with a code', async (_name, model, code) => {
    await expect(open(model)).rejects.toMatchObject({ code });
  });

  it('says that a missing file is missing', async () => {
    const spec = { path: '/nowhere/at/all.onnx', sha256: 'nowhere', backend: 'onnxruntime-web' };
    await expect(host.acquire(spec)).rejects.toMatchObject({ code: 'EDGE_MODEL_NOT_FOUND' });
  });

  it('fails a run that asks for more memory than WebAssembly has, and runs again afterwards', async () => {
    const lease: Lease = await open({
      inputs: [{ name: 'shape', type: 'int64', shape: [2] }],
      outputs: [{ name: 'sum', shape: [] }],
      nodes: [
        { operator: 'ConstantOfShape', inputs: ['shape'], outputs: ['zeros'] },
        { operator: 'ReduceSum', inputs: ['zeros'], outputs: ['sum'], integers: { keepdims: 0 } },
      ],
    });
    const run = (side: bigint) => lease.run({ shape: { type: 'int64', shape: [2], data: BigInt64Array.of(side, side) } });
    await expect(run(100_000n)).rejects.toMatchObject({ code: expect.stringMatching(/^EDGE_(RUNTIME_FAILED|WORKER_EXITED)$/) });
    expect((await run(2n)).outputs.sum!.data[0]).toBe(0);
    await lease.release();
  });

  it('lets a finished program end by itself, its threads included', () => {
    const hostFile = join(__dirname, '..', '..', '..', 'dist', 'core', 'inference', 'host.js');
    const spec = { path: write('end.onnx', network), sha256: 'end', backend: 'onnxruntime-web', options: { threads: 2 } };
    const script = `
      const { InferenceHost } = require(${JSON.stringify(hostFile)});
      const host = new InferenceHost();
      (async () => {
        const lease = await host.acquire(${JSON.stringify(spec)});
        await lease.run({ image: { type: 'float32', shape: [1, 3, 32, 32], data: new Float32Array(3 * 32 * 32) } });
        await lease.release();
        await host.close();
        console.log('closed');
      })();`;
    const { stdout, status, signal } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8', timeout: 90_000 });
    expect({ stdout, status, signal }).toEqual({ stdout: 'closed\n', status: 0, signal: null });
  }, 100_000);
});

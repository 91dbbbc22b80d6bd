import { availableParallelism } from 'node:os';
import { convolutionalModel, denseModel, type Graph, onnxModel } from '../../../bench/support/graph';
import { defaultThreads } from '../../../core/inference/backends/onnxruntime-node';
import { InferenceHost, type Lease } from '../../../core/inference/host';
import { ELEMENT_ARRAYS, type ElementType, type TensorValue } from '../../../core/message/tensor';
import { modelFolder } from '../../support/models';

const write = modelFolder();
const places = ['worker', 'main', 'process'] as const;
const host = new InferenceHost(0);
afterAll(() => host.close());

function open(name: string, model: Graph | Uint8Array, placement: 'auto' | 'worker' | 'main' | 'process'): Promise<Lease> {
  const bytes = model instanceof Uint8Array ? model : onnxModel(model);
  return host.acquire({ path: write(`${name}.onnx`, bytes), sha256: name, placement });
}

function float32(shape: number[], values: ArrayLike<number>): TensorValue {
  return { type: 'float32', shape, data: Float32Array.from(values) };
}

const doubled: Graph = {
  inputs: [{ name: 'x', shape: ['rows', 3] }],
  outputs: [{ name: 'y', shape: ['rows', 3] }],
  nodes: [{ operator: 'Add', inputs: ['x', 'x'], outputs: ['y'] }],
};

describe.each(places)('a run in the place "%s"', (placement) => {
  it.each(Object.keys(ELEMENT_ARRAYS) as ElementType[])('carries %s there and back', async (type) => {
    const value = { name: 'x', type, shape: [2, 2] };
    const lease = await open(
      `identity-${type}`,
      { inputs: [value], outputs: [{ ...value, name: 'y' }], nodes: [{ operator: 'Identity', inputs: ['x'], outputs: ['y'] }] },
      placement,
    );
    const data = new ELEMENT_ARRAYS[type](4);
    data.set((data instanceof BigInt64Array || data instanceof BigUint64Array ? [0n, 1n, 1n, 7n] : [0, 1, 1, 1]) as never);
    const { outputs } = await lease.run({ x: { type, shape: [2, 2], data } });
    expect(outputs.y).toMatchObject({ type, shape: [2, 2] });
    expect(outputs.y?.data).toEqual(data);
    expect(outputs.y?.data.buffer === data.buffer).toBe(false);
  });

  it('takes dimensions that vary, larger and smaller ones after each other', async () => {
    const lease = await open('doubled', doubled, placement);
    for (const rows of [1, 400, 2, 90_000, 3]) {
      const x = float32(
        [rows, 3],
        Array.from({ length: rows * 3 }, (_, index) => index),
      );
      const { outputs } = await lease.run({ x });
      expect(outputs.y?.shape).toEqual([rows, 3]);
      expect(outputs.y?.data.at(-1)).toBe((rows * 3 - 1) * 2);
    }
  });

  it('moves inputs of many megabytes whole', async () => {
    const lease = await open('doubled', doubled, placement);
    const rows = 1_200_000;
    const data = new Float32Array(rows * 3).map((_, index) => index % 1000);
    const { outputs } = await lease.run({ x: { type: 'float32', shape: [rows, 3], data } });
    const y = outputs.y!.data as Float32Array;
    expect(y.length).toBe(data.length);
    expect(y.findIndex((value, index) => value !== 2 * data[index]!)).toBe(-1);
  });

  it('gives each of many runs its own result, in arrays that are the caller’s', async () => {
    const lease = await open('doubled', doubled, placement);
    const results = await Promise.all(
      Array.from({ length: 300 }, (_, index) => lease.run({ x: float32([1, 3], [index, 0, 1]) })),
    );
    expect(results.map(({ outputs }) => outputs.y!.data[0])).toEqual(Array.from({ length: 300 }, (_, index) => 2 * index));
    const buffers = new Set(results.map(({ outputs }) => outputs.y!.data.buffer));
    expect(buffers.size).toBe(300);
  });

  it.each([
    ['a missing input', {}, 'EDGE_MODEL_INPUT_SHAPE', 'the input x float32 [rows, 3] is missing, got nothing'],
    [
      'another name',
      { x: float32([1, 3], [1, 2, 3]), z: float32([1], [1]) },
      'EDGE_MODEL_INPUT_SHAPE',
      'expected x float32 [rows, 3], got also z',
    ],
    ['another rank', { x: float32([3], [1, 2, 3]) }, 'EDGE_MODEL_INPUT_SHAPE', 'expected x float32 [rows, 3], got [3]'],
    ['another size', { x: float32([1, 4], [1, 2, 3, 4]) }, 'EDGE_MODEL_INPUT_SHAPE', 'expected x float32 [rows, 3], got [1, 4]'],
    ['too few values', { x: float32([2, 3], [1]) }, 'EDGE_MODEL_INPUT_SHAPE', 'expected 6 values for x [2, 3], got 1'],
    [
      'a negative size',
      { x: float32([-1, 3], [1, 2, 3]) },
      'EDGE_MODEL_INPUT_SHAPE',
      'expected x float32 [rows, 3], got [-1, 3]',
    ],
    [
      'another element type',
      { x: { type: 'uint8', shape: [1, 3], data: new Uint8Array(3) } },
      'EDGE_MODEL_INPUT_TYPE',
      'expected x float32 [rows, 3], got uint8',
    ],
    [
      'values of another kind than they are said to be',
      { x: { type: 'float32', shape: [1, 3], data: new Uint8Array(3) } },
      'EDGE_MODEL_INPUT_TYPE',
      'expected a Float32Array for x float32 [rows, 3], got Uint8Array',
    ],
    ['NaN', { x: float32([1, 3], [1, Number.NaN, 3]) }, 'EDGE_INPUT_NOT_FINITE', 'the input x'],
    ['Infinity', { x: float32([1, 3], [1, 2, Number.NEGATIVE_INFINITY]) }, 'EDGE_INPUT_NOT_FINITE', 'the input x'],
  ])('is refused for %s', async (_name, feeds, code, words) => {
    const lease = await open('doubled', doubled, placement);
    await expect(lease.run(feeds as never)).rejects.toMatchObject({ code, message: expect.stringContaining(words) });
    await expect(lease.run({ x: float32([1, 3], [1, 2, 3]) })).resolves.toBeDefined();
  });

  it('is refused where inputs disagree about a dimension of one name', async () => {
    const lease = await open(
      'sum',
      {
        inputs: [
          { name: 'a', shape: ['n', 2] },
          { name: 'b', shape: ['n', 2] },
        ],
        outputs: [{ name: 'y', shape: ['n', 2] }],
        nodes: [{ operator: 'Add', inputs: ['a', 'b'], outputs: ['y'] }],
      },
      placement,
    );
    const feeds = { a: float32([1, 2], [1, 2]), b: float32([2, 2], [1, 2, 3, 4]) };
    await expect(lease.run(feeds)).rejects.toMatchObject({ code: 'EDGE_MODEL_INPUT_SHAPE' });
  });

  it('tells when the model itself gives NaN, and lets Infinity pass', async () => {
    const lease = await open(
      'log',
      {
        inputs: [{ name: 'x', shape: [2] }],
        outputs: [{ name: 'y', shape: [2] }],
        nodes: [{ operator: 'Log', inputs: ['x'], outputs: ['y'] }],
      },
      placement,
    );
    await expect(lease.run({ x: float32([2], [1, -1]) })).rejects.toMatchObject({ code: 'EDGE_MODEL_OUTPUT_NOT_FINITE' });
    const { outputs } = await lease.run({ x: float32([2], [1, 0]) });
    expect(outputs.y!.data).toEqual(Float32Array.of(0, Number.NEGATIVE_INFINITY));
  });

  it('is withdrawn by its signal while it waits, and its result discarded while it runs', async () => {
    const lease = await open('doubled', doubled, placement);
    const gone = new AbortController();
    const runs = Array.from({ length: 8 }, (_, index) => lease.run({ x: float32([1, 3], [index, 0, 0]) }, gone.signal));
    const stays = lease.run({ x: float32([1, 3], [5, 0, 0]) });
    gone.abort(new Error('not wanted any more'));
    for (const run of runs) await expect(run).rejects.toThrow('not wanted any more');
    await expect(lease.run({ x: float32([1, 3], [1, 1, 1]) }, gone.signal)).rejects.toThrow('not wanted any more');
    expect((await stays).outputs.y!.data[0]).toBe(10);
  });

  it('gives the engine’s own refusal a code, and goes on', async () => {
    const lease = await open(
      'gather',
      {
        inputs: [{ name: 'index', type: 'int64', shape: [1] }],
        outputs: [{ name: 'y', shape: [1] }],
        nodes: [{ operator: 'Gather', inputs: ['table', 'index'], outputs: ['y'] }],
        constants: [{ name: 'table', shape: [3], values: Float32Array.of(4, 5, 6) }],
      },
      placement,
    );
    const at = (index: bigint) => lease.run({ index: { type: 'int64', shape: [1], data: BigInt64Array.of(index) } });
    await expect(at(99n)).rejects.toMatchObject({ code: 'EDGE_RUNTIME_FAILED' });
    expect((await at(2n)).outputs.y!.data[0]).toBe(6);
  });
});

describe('placement', () => {
  it('takes the main thread for a tiny model of independent rows, and the worker for a larger one', async () => {
    expect((await open('dense', denseModel(16, 4), 'auto')).info.placement).toBe('main');
    expect((await open('larger', convolutionalModel(160, 24, 4), 'auto')).info.placement).toBe('worker');
  });

  it('keeps a tiny model in a worker when its cost may grow with the input, or its rows depend on each other', async () => {
    const picture: Graph = {
      inputs: [{ name: 'x', shape: [1, 1, 'height', 'width'] }],
      outputs: [{ name: 'y', shape: [1, 1, 'height', 'width'] }],
      nodes: [{ operator: 'Relu', inputs: ['x'], outputs: ['y'] }],
    };
    const running: Graph = {
      inputs: [{ name: 'x', shape: ['time', 2] }],
      outputs: [{ name: 'y', shape: ['time', 2] }],
      nodes: [{ operator: 'CumSum', inputs: ['x', 'axis'], outputs: ['y'] }],
      constants: [{ name: 'axis', shape: [], values: BigInt64Array.of(0n) }],
    };
    expect((await open('picture', picture, 'auto')).info.placement).toBe('worker');
    expect((await open('running', running, 'auto')).info.placement).toBe('worker');
  });

  it('joins runs that wait and gives what single runs give', async () => {
    const together = await open('dense', denseModel(16, 4), 'main');
    const alone = await open('dense-worker', denseModel(16, 4), 'worker');
    const samples = Array.from({ length: 200 }, (_, index) =>
      float32(
        [1 + (index % 3), 16],
        Array.from({ length: (1 + (index % 3)) * 16 }, (_, at) => Math.sin(index * 31 + at)),
      ),
    );
    const joined = await Promise.all(samples.map((x) => together.run({ x })));
    for (const [index, x] of samples.entries()) {
      const { outputs } = await alone.run({ x });
      expect(joined[index]!.outputs.y!.shape).toEqual(outputs.y!.shape);
      const values = joined[index]!.outputs.y!.data as Float32Array;
      (outputs.y!.data as Float32Array).forEach((value, at) => {
        expect(values[at]).toBeCloseTo(value, 5);
      });
    }
  });

  it('opens a model that declares an input too large to try, and says nothing of its time', async () => {
    const huge: Graph = {
      inputs: [{ name: 'x', shape: [1, 1_000_000, 1_000_000] }],
      outputs: [{ name: 'y', shape: [1, 1_000_000, 1_000_000] }],
      nodes: [{ operator: 'Relu', inputs: ['x'], outputs: ['y'] }],
    };
    const { info } = await open('huge', huge, 'auto');
    expect(info.placement).toBe('worker');
    expect(info).not.toHaveProperty('medianMs');
  });

  it('tries every core for a slow model and says what it found, unless it was told how many to use', async () => {
    const bytes = convolutionalModel(256, 48, 8);
    const { info } = await open('slowest', bytes, 'auto');
    const tried = Math.min(4, availableParallelism()) > defaultThreads();
    expect(info.notes).toEqual(
      tried ? [expect.stringMatching(/^With \d threads a run takes [\d.]+ ms, with \d [\d.]+ ms$/)] : [],
    );
    const spec = { path: write('slowest.onnx', bytes), sha256: 'slowest', placement: 'worker', options: { threads: 1 } } as const;
    expect((await host.acquire(spec)).info).toMatchObject({ threads: 1, notes: [] });
  });

  it('leaves the event loop its turns while a model is run without a pause', async () => {
    const lease = await open('busy', convolutionalModel(224, 32, 4), 'worker');
    const image = float32([1, 3, 224, 224], new Float32Array(3 * 224 * 224));
    let turns = 0;
    let done = false;
    const count = () => {
      turns += 1;
      if (!done) setImmediate(count);
    };
    setImmediate(count);
    await Promise.all(Array.from({ length: 5 }, () => lease.run({ image })));
    done = true;
    // A blocked loop turns about once a run.
    expect(turns).toBeGreaterThan(50);
  });
});

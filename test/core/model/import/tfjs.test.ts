import { importTfjs, readTfjs } from '../../../../core/model/import/tfjs';
import { graphOf, readModel } from '../../../../core/model/onnx/graph';
import { modelMetadata } from '../../../../core/model/onnx/metadata';
import { runModel } from '../onnx/run';
import { float, i, int, ints, type MadeModel, madeGraph, modelJson, s, texts, type, weightBytes } from './tfjs-model';

const convolution = { padding: s('SAME'), strides: ints(1, 1, 1, 1), dilations: ints(1, 1, 1, 1) };

/** A preprocessing loop as TensorFlow exports write it, then a product. */
const looped: MadeModel = {
  nodes: [
    { name: 'enter', op: 'Enter', input: ['x'] },
    { name: 'merge', op: 'Merge', input: ['enter', 'next'] },
    { name: 'next', op: 'NextIteration', input: ['merge'] },
    { name: 'exit', op: 'Exit', input: ['merge', '^next'] },
    { name: 'y', op: 'Mul', input: ['exit', 'two'] },
  ],
  weights: { two: float([], [2]) },
  outputs: ['y'],
};

describe('cutting a graph', () => {
  const x = float([1, 3]);

  it('leaves a preprocessing loop behind', async () => {
    const model = importTfjs(madeGraph(looped, { x }), { inputs: [{ at: 'exit', name: 'pixels', shape: [1, 3] }] });
    const { y } = await runModel(model, { pixels: float([1, 3], [1, 2, 3]) });
    expect([...y!.data]).toEqual([2, 4, 6]);
  });

  it('refuses the loop by name, and says what to do', () => {
    expect(() => importTfjs(madeGraph(looped, { x }))).toThrow(
      expect.objectContaining({
        code: 'EDGE_MODEL_UNSUPPORTED',
        message: expect.stringMatching(/loop through .*Cut the graph behind it/),
      }),
    );
  });

  it('gives outputs the names asked for, also when one value is two outputs', async () => {
    const model: MadeModel = { nodes: [{ name: 'y', op: 'Neg', input: ['x'] }], weights: {}, outputs: ['y'] };
    const outputs = [
      { at: 'y', name: 'first' },
      { at: 'y', name: 'second' },
      { at: 'x', name: 'same' },
    ];
    const results = await runModel(importTfjs(madeGraph(model, { x }), { outputs }), { x });
    expect(Object.keys(results)).toEqual(['first', 'second', 'same']);
    expect(results.second!.data).toEqual(results.first!.data);
    expect(results.same!.data).toEqual(x.data);
  });

  it('computes what depends on shapes alone before the graph runs', () => {
    const model: MadeModel = {
      nodes: [
        { name: 'shape', op: 'Shape', input: ['x'] },
        { name: 'columns', op: 'StridedSlice', input: ['shape', 'one', 'two', 'one'], attr: { shrink_axis_mask: i(1) } },
        { name: 'wanted', op: 'Pack', input: ['columns', 'rows'], attr: { axis: i(0) } },
        { name: 'y', op: 'Reshape', input: ['x', 'wanted'] },
      ],
      weights: { one: int([1], [1]), two: int([1], [2]), rows: int([], [1]) },
      outputs: ['y'],
    };
    const graph = graphOf(readModel(importTfjs(madeGraph(model, { x }))));
    expect(graph.node.map((node) => node.opType)).toEqual(['Reshape']);
    expect(modelMetadata(importTfjs(madeGraph(model, { x }))).outputs[0]!.shape).toEqual([3, 1]);
  });

  it('folds batch norms and sums into the convolution before them', () => {
    const model: MadeModel = {
      nodes: [
        { name: 'c', op: 'Conv2D', input: ['x', 'filter'], attr: convolution },
        { name: 'n', op: 'FusedBatchNorm', input: ['c', 'scale', 'offset', 'mean', 'variance'] },
        { name: 'a', op: 'AddN', input: ['n', 'bias'] },
        { name: 'y', op: 'Relu6', input: ['a'] },
      ],
      weights: {
        filter: float([1, 1, 2, 2]),
        scale: float([2]),
        offset: float([2]),
        mean: float([2]),
        variance: float([2], [1, 4]),
        bias: float([2]),
      },
      outputs: ['y'],
    };
    const graph = graphOf(readModel(importTfjs(madeGraph(model, { x: float([1, 2, 2, 2]) }))));
    expect(graph.node.map((node) => node.opType)).toEqual(['Transpose', 'Conv', 'Clip', 'Transpose']);
  });

  it('gives the same bytes each time', () => {
    const bytes = [1, 2].map(() => importTfjs(madeGraph(looped, { x }), { inputs: [{ at: 'exit', shape: [1, 3] }] }));
    expect(Buffer.compare(bytes[0]!, bytes[1]!)).toBe(0);
  });
});

describe('what cannot be imported is refused with a code', () => {
  const x = float([1, 3]);
  const good: MadeModel = { nodes: [{ name: 'y', op: 'Add', input: ['x', 'w'] }], weights: { w: float([3]) }, outputs: ['y'] };
  const json = () => modelJson(good, { x });
  const shard = () => weightBytes(good);

  it('an unknown operator, by its name and node', () => {
    const model: MadeModel = { ...good, nodes: [{ name: 'y', op: 'FakeQuant', input: ['x'] }] };
    expect(() => importTfjs(madeGraph(model, { x }))).toThrow(
      expect.objectContaining({ code: 'EDGE_MODEL_UNSUPPORTED', message: expect.stringContaining('FakeQuant at "y"') }),
    );
  });

  it('an unknown fused activation, by its name', () => {
    const attr = { ...convolution, fused_ops: texts('Swish') };
    const model: MadeModel = {
      nodes: [{ name: 'y', op: '_FusedConv2D', input: ['x', 'w'], attr }],
      weights: { w: float([1, 1, 3, 1]) },
      outputs: ['y'],
    };
    expect(() => importTfjs(madeGraph(model, { x: float([1, 2, 2, 3]) }))).toThrow(
      expect.objectContaining({ code: 'EDGE_MODEL_UNSUPPORTED', message: expect.stringContaining('Swish') }),
    );
  });

  it('a placeholder without a size', () => {
    const open = {
      name: 'x',
      op: 'Placeholder',
      attr: { dtype: type('DT_FLOAT'), shape: { shape: { dim: [{ size: '1' }, { size: '-1' }] } } },
    };
    const graph = readTfjs(
      JSON.stringify({ ...json(), modelTopology: { node: [open, ...json().modelTopology.node.slice(1)] } }),
      shard,
    );
    expect(() => importTfjs(graph)).toThrow(expect.objectContaining({ code: 'EDGE_MODEL_INCOMPLETE' }));
  });

  it.each<[string, string, () => unknown]>([
    ['text that is not JSON', 'EDGE_MODEL_INVALID', () => readTfjs('<html>', shard)],
    ['JSON that is no model', 'EDGE_MODEL_INVALID', () => readTfjs('[]', shard)],
    ['a layers model', 'EDGE_MODEL_UNSUPPORTED', () => readTfjs(JSON.stringify({ ...json(), format: 'layers-model' }), shard)],
    ['weights cut short', 'EDGE_MODEL_INVALID', () => readTfjs(JSON.stringify(json()), () => shard().subarray(0, 8))],
    [
      'a shard outside the folder',
      'EDGE_MODEL_EXTERNAL_DATA',
      () => readTfjs(JSON.stringify({ ...json(), weightsManifest: [{ paths: ['../w.bin'], weights: [] }] }), shard),
    ],
    [
      'text weights',
      'EDGE_MODEL_UNSUPPORTED',
      () =>
        readTfjs(
          JSON.stringify({
            ...json(),
            weightsManifest: [{ paths: ['w.bin'], weights: [{ name: 'w', shape: [1], dtype: 'string' }] }],
          }),
          shard,
        ),
    ],
    ['an output that is not there', 'EDGE_MODEL_INVALID', () => importTfjs(madeGraph(good, { x }), { outputs: [{ at: 'z' }] })],
    [
      'a weight that is not there',
      'EDGE_MODEL_INVALID',
      () => importTfjs(readTfjs(JSON.stringify({ ...json(), weightsManifest: [] }), shard)),
    ],
    ['shapes that do not fit', 'EDGE_MODEL_INVALID', () => importTfjs(madeGraph(good, { x: float([1, 4]) }))],
  ])('%s', (_, code, read) => {
    expect(read).toThrow(expect.objectContaining({ code }));
  });
});

describe('weights stored small', () => {
  const stored = (quantization: object, bytes: Uint8Array, shape = [3]) => {
    const weightsManifest = [{ paths: ['w.bin'], weights: [{ name: 'w', shape, dtype: 'float32', quantization }] }];
    const { weights } = readTfjs(JSON.stringify({ modelTopology: { node: [] }, weightsManifest }), () => bytes);
    return [...(weights.get('w')!.data as Float32Array)];
  };

  it('in 8 and 16 bits are scaled back', () => {
    expect(stored({ dtype: 'uint8', scale: 0.5, min: -1 }, Uint8Array.of(0, 2, 255))).toEqual([-1, 0, 126.5]);
    expect(stored({ dtype: 'uint16', scale: 0.5, min: -1 }, new Uint8Array(Uint16Array.of(0, 2, 65535).buffer))).toEqual([
      -1, 0, 32766.5,
    ]);
  });

  it('in half precision are widened, subnormals and infinities too', () => {
    const halves = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00, 0x8000);
    expect(stored({ dtype: 'float16' }, new Uint8Array(halves.buffer), [5])).toEqual([
      1,
      -2,
      2 ** -24,
      Number.POSITIVE_INFINITY,
      -0,
    ]);
  });
});

import { onnxModel } from '../../../../bench/support/graph';
import type { TensorValue } from '../../../../core/message/tensor';
import { CLASS_MAP_OUTPUT, CLASS_SUM_OUTPUT, foldClassMap } from '../../../../core/model/onnx/fold-class-map';
import { modelMetadata } from '../../../../core/model/onnx/metadata';
import { runModel } from './run';

/** A model that gives what it is fed, so that every score is known. */
const through = (shape: (number | string)[], type: 'float32' | 'int64' | 'float16' = 'float32') =>
  onnxModel({
    inputs: [{ name: 'x', shape, type }],
    outputs: [{ name: 'y', shape, type }],
    nodes: [{ operator: 'Identity', inputs: ['x'], outputs: ['y'] }],
  });
const floats = (shape: number[], values: number[]): TensorValue => ({ type: 'float32', shape, data: Float32Array.from(values) });
const options = { width: 3, height: 2, threshold: 0.5 };

describe('a segmentation with the choice of classes folded in', () => {
  // Two classes and a background on 2 rows of 3 columns.
  const planes = [
    [0.1, 0.9, 0.2, 0.4, 0.4, 0.4],
    [0.8, 0.0, 0.3, 0.5, 0.0, 0.1],
    [0.1, 0.1, 0.5, 0.1, 0.6, 0.5],
  ];
  const chosen = [1, 0, 2, 1, 2, 2];

  it('gives the number of the best class of every cell as bytes, whichever way the scores lie', async () => {
    const first = await runModel(foldClassMap(through([1, 3, 2, 3]), { ...options, layout: 'NCHW' }), {
      x: floats([1, 3, 2, 3], planes.flat()),
    });
    expect([...first[CLASS_MAP_OUTPUT]!.data]).toEqual(chosen);
    expect(first[CLASS_MAP_OUTPUT]!.dims).toEqual([1, 2, 3]);
    const last = chosen.flatMap((_, cell) => planes.map((plane) => plane[cell]!));
    const second = await runModel(foldClassMap(through([1, 2, 3, 3]), { ...options, layout: 'NHWC' }), {
      x: floats([1, 2, 3, 3], last),
    });
    expect([...second[CLASS_MAP_OUTPUT]!.data]).toEqual(chosen);
  });

  it("tells rows and columns from classes by the picture's proportions", async () => {
    const wide = { width: 40, height: 20, threshold: 0.5 };
    const outputs = (shape: (number | string)[]) => modelMetadata(foldClassMap(through(shape), wide)).outputs;
    for (const shape of [
      [1, 5, 20, 40],
      [1, 20, 40, 5],
      [1, 6, 10, 20],
      ['n', 10, 20, 5],
    ]) {
      expect(outputs(shape)[0]).toMatchObject({ name: CLASS_MAP_OUTPUT, type: 'uint8', shape: ['batch', 'rows', 'columns'] });
    }
    expect(() => outputs([1, 20, 20, 40])).not.toThrow();
    expect(() => outputs([1, 'a', 'b', 'c'])).toThrow(/output\.parameters\.layout.*NCHW or NHWC/);
    expect(() => outputs([1, 5, 7, 40])).toThrow(expect.objectContaining({ code: 'EDGE_MODEL_OUTPUT_SHAPE' }));
    expect(() => outputs([1, 300, 20, 40])).toThrow(/300 classes/);
    expect(() => outputs([1, 5])).toThrow(expect.objectContaining({ code: 'EDGE_MODEL_OUTPUT_SHAPE' }));
  });

  it('sums the scores up, so that NaN among them is not lost', async () => {
    const folded = foldClassMap(through([1, 3, 2, 3]), { ...options, layout: 'NCHW' });
    const good = await runModel(folded, { x: floats([1, 3, 2, 3], planes.flat()) });
    expect(good[CLASS_SUM_OUTPUT]!.data[0]).toBeCloseTo(planes.flat().reduce((sum, value) => sum + value));
    const bad = await runModel(folded, { x: floats([1, 3, 2, 3], [Number.NaN, ...planes.flat().slice(1)]) });
    expect(bad[CLASS_SUM_OUTPUT]!.data[0]).toBeNaN();
  });

  it('compares the value of a model of one class with the threshold', async () => {
    for (const shape of [
      [1, 1, 2, 3],
      [1, 2, 3, 1],
    ]) {
      const folded = foldClassMap(through(shape), options);
      const { [CLASS_MAP_OUTPUT]: map } = await runModel(folded, { x: floats(shape, [0.4, 0.6, 0.5, 0.51, 0, 1]) });
      expect([...map!.data]).toEqual([0, 1, 0, 1, 0, 1]);
    }
  });

  it('passes class numbers on as bytes', async () => {
    const folded = foldClassMap(through([1, 2, 3], 'int64'), options);
    expect(modelMetadata(folded).outputs).toHaveLength(1);
    const { [CLASS_MAP_OUTPUT]: map } = await runModel(folded, {
      x: { type: 'int64', shape: [1, 2, 3], data: BigInt64Array.from([0n, 5n, 20n, 1n, 0n, 0n]) },
    });
    expect([...map!.data]).toEqual([0, 5, 20, 1, 0, 0]);
  });

  it('is of one output: which one is said where there are several', () => {
    const two = onnxModel({
      inputs: [{ name: 'x', shape: [1, 4, 2, 3] }],
      outputs: [
        { name: 'out', shape: [1, 4, 2, 3] },
        { name: 'aux', shape: [1, 4, 2, 3] },
      ],
      nodes: [
        { operator: 'Identity', inputs: ['x'], outputs: ['out'] },
        { operator: 'Identity', inputs: ['x'], outputs: ['aux'] },
      ],
    });
    expect(() => foldClassMap(two, options)).toThrow(/output\.parameters\.output.*"out", "aux"/);
    expect(modelMetadata(foldClassMap(two, { ...options, output: 'out' })).outputs.map(({ name }) => name)).toEqual([
      CLASS_MAP_OUTPUT,
      CLASS_SUM_OUTPUT,
    ]);
  });
});

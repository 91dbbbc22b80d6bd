import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Tensors } from '../../../core/inference/backend';
import type { TensorValue } from '../../../core/message/tensor';
import { graphOf, readModel } from '../../../core/model/onnx/graph';
import { declaration, operation } from '../../../core/model/onnx/node';
import { constant, floats } from '../../../core/model/onnx/tensor';
import { calibrate, Histogram, observable } from '../../../core/quantize/calibrate';
import { quantizeModel } from '../../../core/quantize/quantize';
import { describeWith, SHARED } from '../../support/needs';
import { noise } from '../model/import/tfjs-model';
import { runModel } from '../model/onnx/run';
import { tinyModel } from '../model/onnx/tiny';

const SHAPE = [1, 8, 6, 6];
const picture = (seed: number): TensorValue => ({ type: 'float32', shape: SHAPE, data: noise(8 * 36, seed) });
const samples = [1, 2, 3, 4].map((seed) => ({ x: picture(seed) }));

/** Convolution, Relu6, depthwise convolution, sum with what went in, convolution to an output. */
function network(opset = 13): Uint8Array {
  return tinyModel({
    opset,
    inputs: [declaration('x', 'float32', SHAPE)],
    outputs: [declaration('y', 'float32', [1, 4, 6, 6])],
    constants: [
      constant('w1', floats(noise(64, 11), [8, 8, 1, 1])),
      constant('b1', floats(noise(8, 12))),
      constant('w2', floats(noise(72, 13), [8, 1, 3, 3])),
      constant('w3', floats(noise(32, 14), [4, 8, 1, 1])),
      constant('low', floats([0], [])),
      constant('high', floats([6], [])),
    ],
    nodes: [
      operation('Conv', ['x', 'w1', 'b1'], ['c1']),
      operation('Clip', ['c1', 'low', 'high'], ['r1']),
      operation('Conv', ['r1', 'w2'], ['c2'], { attributes: { group: 8, pads: [1, 1, 1, 1], kernel_shape: [3, 3] } }),
      operation('Add', ['c2', 'r1'], ['s1']),
      operation('Conv', ['s1', 'w3'], ['y']),
    ],
  });
}

async function rangesOf(bytes: Uint8Array) {
  const { model, names } = observable(bytes);
  const session = await InferenceSession.create(model, { logSeverityLevel: 3 });
  const run = async ({ x }: Tensors) =>
    (await session.run({ x: new Tensor('float32', x!.data as Float32Array, x!.shape) })) as unknown as Tensors;
  const ranges = await calibrate(run, samples, names);
  await session.release();
  return ranges;
}

describe('quantizing a model', () => {
  it('observes what convolutions and sums read and give, behind their bounds', async () => {
    const ranges = await rangesOf(network());
    expect(Object.keys(ranges).sort()).toEqual(['c2', 'r1', 's1', 'x', 'y']);
    expect(ranges.r1![0]).toBe(0);
    expect(ranges.r1![1]).toBeLessThanOrEqual(6);
  });

  it.each([13, 11])('computes nearly the same in 8 bits: operator set %i', async (opset) => {
    const bytes = network(opset);
    const quantized = quantizeModel(bytes, { ranges: await rangesOf(bytes) });
    expect(quantized).toMatchObject({ quantized: ['r1', 'c2', 's1', 'y'], float: [] });
    const [exact, close] = await Promise.all([runModel(bytes, samples[0]!), runModel(quantized.model, samples[0]!)]);
    expect(relativeError(close.y!.data, exact.y!.data)).toBeLessThan(0.03);
  });

  it('is fused by ONNX Runtime into integer operations', async () => {
    const bytes = network();
    const { model } = quantizeModel(bytes, { ranges: await rangesOf(bytes) });
    const types = graphOf(readModel(model)).node.map(({ opType }) => opType);
    expect(types).not.toContain('Clip');
    expect(types.filter((opType) => opType === 'QuantizeLinear')).toHaveLength(5);
  });

  it('leaves in float what it is told to, and what has no range', async () => {
    const bytes = network();
    const ranges = await rangesOf(bytes);
    expect(quantizeModel(bytes, { ranges, keepFloat: ['y'] }).float).toEqual(['y']);
    const { c2: _, ...without } = ranges;
    expect(quantizeModel(bytes, { ranges: without }).float).toEqual(['c2', 's1']);
  });

  it('takes bytes of a picture as they are where the graph widens them itself', async () => {
    const bytes = tinyModel({
      inputs: [declaration('p', 'uint8', [1, 2, 4, 4])],
      outputs: [declaration('y', 'float32', [1, 2, 4, 4])],
      constants: [
        constant('scale', floats([1 / 128], [])),
        constant('zero', { type: 'uint8', shape: [], data: Uint8Array.of(128) }),
        constant('w', floats([0.5, -1, 0.25, 1], [2, 2, 1, 1])),
      ],
      nodes: [operation('DequantizeLinear', ['p', 'scale', 'zero'], ['x']), operation('Conv', ['x', 'w'], ['y'])],
    });
    const { model } = quantizeModel(bytes, { ranges: { y: [-2, 2] } });
    expect(graphOf(readModel(model)).node.filter(({ opType }) => opType === 'QuantizeLinear')).toHaveLength(1);
    const p: TensorValue = { type: 'uint8', shape: [1, 2, 4, 4], data: Uint8Array.from({ length: 32 }, (_, at) => at * 8) };
    const [exact, close] = await Promise.all([runModel(bytes, { p }), runModel(model, { p })]);
    exact.y!.data.forEach((value, at) => {
      expect(Math.abs(close.y!.data[at]! - value)).toBeLessThan(0.03);
    });
  });

  it('gives the same bytes each time', async () => {
    const ranges = await rangesOf(network());
    const [one, other] = [1, 2].map(() => quantizeModel(network(), { ranges }).model);
    expect(Buffer.compare(one!, other!)).toBe(0);
  });

  it('refuses a model in which there is nothing to quantize, and what is no model', () => {
    const plain = tinyModel({ inputs: [declaration('x', 'float32', [1])], outputs: [declaration('y', 'float32', [1])] });
    expect(() => quantizeModel(plain, { ranges: {} })).toThrow(expect.objectContaining({ code: 'EDGE_MODEL_UNSUPPORTED' }));
    expect(() => quantizeModel(Buffer.from('no'), { ranges: {} })).toThrow(
      expect.objectContaining({ code: 'EDGE_MODEL_INVALID' }),
    );
  });
});

describe('the range of an activation', () => {
  const range = (...batches: number[][]) => {
    const histogram = new Histogram();
    for (const batch of batches) histogram.add(batch);
    return histogram.range();
  };

  it('keeps everything behind a Relu, the rare strong values above all', () => {
    expect(range([...new Array<number>(1000).fill(0.1), 6])).toEqual([0, 6]);
  });

  it('cuts off a far outlier of a signed value where that costs less than coarse steps', () => {
    const [min, max] = range([...noise(20_000)], [9, -2]);
    expect(max).toBeLessThan(9);
    expect(max).toBeGreaterThan(1.9);
    expect(min).toBeLessThan(-1.5);
  });

  it('grows in both directions as values come', () => {
    expect(range([0.5], [2], [3])).toEqual([0, 3]);
    const [min, max] = range(
      [...noise(500)],
      [...noise(500)].map((value) => value * 40),
    );
    expect(max - min).toBeGreaterThan(80);
  });

  it('of nothing but zeros is empty, and quantizes all the same', () => {
    expect(range([0, 0])).toEqual([0, 0]);
  });
});

describeWith(['shared'], 'published face detectors', () => {
  const model = (name: string) => readFileSync(join(SHARED, 'models', `${name}.onnx`));

  it('give nearly the same in 8 bits', async () => {
    const bytes = model('yunet_n_320_320');
    const shape = [1, 3, 320, 320];
    const feeds = [3, 4].map((seed) => {
      const data = noise(3 * 320 * 320, seed).map((value, at) => 128 + 90 * Math.sin(at / 300) + 15 * value);
      return { input: { type: 'float32', shape, data } as TensorValue };
    });
    const observed = observable(bytes);
    const session = await InferenceSession.create(observed.model, { logSeverityLevel: 3 });
    const run = async ({ input }: Tensors) =>
      (await session.run({ input: new Tensor('float32', input!.data as Float32Array, shape) })) as unknown as Tensors;
    const ranges = await calibrate(run, feeds, observed.names);
    await session.release();
    const quantized = quantizeModel(bytes, { ranges });
    // Two sums with something that was enlarged in float stay in float.
    expect(quantized.float).toHaveLength(2);
    const [exact, close] = [await runModel(bytes, feeds[0]!), await runModel(quantized.model, feeds[0]!)];
    for (const output of ['bbox_8', 'bbox_16', 'bbox_32']) {
      expect(relativeError(close[output]!.data, exact[output]!.data)).toBeLessThan(0.2);
    }
  });

  it('of an old operator set are refused with a code', () => {
    expect(() => quantizeModel(model('ultraface_slim_320'), { ranges: {} })).toThrow(
      expect.objectContaining({ code: 'EDGE_MODEL_UNSUPPORTED', message: expect.stringContaining('operator set 9') }),
    );
  });
});

function relativeError(found: Float32Array, wanted: Float32Array): number {
  let [error, size] = [0, 0];
  wanted.forEach((value, at) => {
    error += (found[at]! - value) ** 2;
    size += value ** 2;
  });
  return Math.sqrt(error / size);
}

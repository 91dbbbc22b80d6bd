import { runInNewContext } from 'node:vm';
import { onnxModel } from '../../../bench/support/graph';
import { InferenceHost } from '../../../core/inference/host';
import type { TensorsResult } from '../../../core/message/results';
import { makeTensor, type TensorInfo, tensorValue } from '../../../core/message/tensor';
import type { Manifest } from '../../../core/model/manifest';
import { openTask, type Task } from '../../../core/task';
import { toTensors } from '../../../core/task/to-tensors';
import { COLOURS, Workshop } from './models';

describe('a payload as tensors', () => {
  const info = (shape: (number | string)[], type: TensorInfo['type'] = 'float32', name = 'x'): TensorInfo => ({
    name,
    type,
    shape,
  });
  const one = (payload: unknown, input: TensorInfo) => toTensors(payload, [input])[input.name]!;

  it.each<[string, unknown, TensorInfo, number[]]>([
    ['a number', 5, info([1]), [1]],
    ['a flat list', [1, 2, 3, 4], info([1, 4]), [1, 4]],
    [
      'a list of lists',
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      info(['batch', 2]),
      [3, 2],
    ],
    ['a flat list for a batch of any size', [1, 2, 3, 4, 5, 6], info(['batch', 2]), [3, 2]],
    ['a flat list for a sequence of any length', [1, 2, 3], info([1, 'time', 1]), [1, 3, 1]],
    ['a typed array', new Float64Array([1, 2]), info([1, 2]), [1, 2]],
    ['a Buffer', Buffer.from([1, 2]), info([1, 2], 'uint8'), [1, 2]],
    ['a typed array as whole numbers', Float32Array.from([1, -2]), info([1, 2], 'int8'), [1, 2]],
    ['a list of typed arrays', [Float32Array.from([1, 2]), Float32Array.from([3, 4])], info([2, 2]), [2, 2]],
    ['what a Function node made, of another realm', runInNewContext('Float32Array.of(1, 2)'), info([1, 2]), [1, 2]],
    ['an unnamed size', [1, 2], info([-1, 2]), [1, 2]],
  ])('%s', (_name, payload, input, shape) => {
    const tensor = one(payload, input);
    expect(tensor.shape).toEqual(shape);
    expect(tensor.type).toBe(input.type);
    expect(Array.from(tensor.data as Float32Array)).toEqual(
      [payload].flat(3).flatMap((value) => (typeof value === 'object' ? Array.from(value as Uint8Array) : value)),
    );
  });

  it('copies what it is given: a flow may write into its array while the model runs', () => {
    const mine = Float32Array.of(1, 2);
    const { data } = one(mine, info([2]));
    mine[0] = 9;
    expect(Array.from(data as Float32Array)).toEqual([1, 2]);
    const long = BigInt64Array.of(2n ** 60n);
    expect(one(long, info([1], 'int64')).data).toEqual(long);
    expect(one(Int32Array.of(-3), info([1], 'int64')).data).toEqual(BigInt64Array.of(-3n));
    expect(one([3n, true], info([2], 'int32')).data).toEqual(Int32Array.of(3, 1));
  });

  it('takes an object by input name, where there are several inputs', () => {
    const feeds = toTensors({ a: [1, 2], b: 3, other: 'ignored' }, [info([2], 'float32', 'a'), info([1], 'int64', 'b')]);
    expect(feeds.a!.data).toEqual(Float32Array.from([1, 2]));
    expect(feeds.b!.data).toEqual(BigInt64Array.from([3n]));
  });

  it('rounds to half precision as IEEE 754 does', () => {
    const halves = one([1, -2, 65504, 1e6, 2 ** -24, 0.1, 2049, 2051], info([8], 'float16')).data;
    expect(Array.from(halves as Uint16Array)).toEqual([0x3c00, 0xc000, 0x7bff, 0x7c00, 1, 0x2e66, 0x6800, 0x6802]);
  });

  it.each<[string, unknown, TensorInfo, string]>([
    ['nothing', undefined, info([1]), 'EDGE_INPUT_TYPE'],
    ['a text', 'hello', info([1]), 'EDGE_INPUT_TYPE'],
    ['a list with a text', [1, 'x'], info([2]), 'EDGE_INPUT_TYPE'],
    ['an empty list', [], info([2]), 'EDGE_INPUT_EMPTY'],
    ['NaN', [1, Number.NaN], info([2]), 'EDGE_INPUT_NOT_FINITE'],
    ['infinity in a typed array', new Float32Array([1, Infinity]), info([2]), 'EDGE_INPUT_NOT_FINITE'],
    ['too few', [1, 2, 3], info([1, 4]), 'EDGE_MODEL_INPUT_SHAPE'],
    ['what does not divide', [1, 2, 3], info(['batch', 2]), 'EDGE_MODEL_INPUT_SHAPE'],
    ['lists that end in text', [['a']], info([1, 1]), 'EDGE_INPUT_TYPE'],
    ['ragged lists', [[1, 2], [3]], info([2, 2]), 'EDGE_MODEL_INPUT_SHAPE'],
    ['a list among numbers', [1, [2]], info([2]), 'EDGE_MODEL_INPUT_SHAPE'],
    ['a number among lists', [[1], 2], info([2, 1]), 'EDGE_MODEL_INPUT_SHAPE'],
    ['a list with a hole', Object.assign([1, 2, 3], { length: 4 }), info([4]), 'EDGE_INPUT_TYPE'],
    ['more in lists than is walked through', [new Array(2 ** 21 + 1).fill(0)], info(['n', 'm']), 'EDGE_INPUT_TYPE'],
    ['a fraction in a typed array for whole numbers', Float32Array.of(0.5), info([1], 'int32'), 'EDGE_MODEL_INPUT_TYPE'],
    ['2 for a truth value', Buffer.of(2), info([1], 'bool'), 'EDGE_MODEL_INPUT_TYPE'],
    ['a double too large for a float', Float64Array.of(1e300), info([1]), 'EDGE_INPUT_NOT_FINITE'],
    ['a DataView', new DataView(new ArrayBuffer(4)), info([1]), 'EDGE_INPUT_TYPE'],
    ['a fraction for whole numbers', [0.5], info([1], 'int32'), 'EDGE_MODEL_INPUT_TYPE'],
    ['256 for a byte', [256], info([1], 'uint8'), 'EDGE_MODEL_INPUT_TYPE'],
    [
      'a tensor of another type',
      makeTensor({ type: 'int32', shape: [1], data: Int32Array.from([1]) }),
      info([1]),
      'EDGE_MODEL_INPUT_TYPE',
    ],
    [
      'a tensor of another shape',
      makeTensor({ type: 'float32', shape: [2], data: new Float32Array(2) }),
      info([1]),
      'EDGE_MODEL_INPUT_SHAPE',
    ],
    [
      'a tensor with NaN',
      makeTensor({ type: 'float32', shape: [1], data: Float32Array.from([Number.NaN]) }),
      info([1]),
      'EDGE_INPUT_NOT_FINITE',
    ],
    [
      'a tensor that went through JSON',
      JSON.parse(JSON.stringify(makeTensor({ type: 'float32', shape: [1], data: new Float32Array(1) }))),
      info([1]),
      'EDGE_FRAME_GONE',
    ],
    ['an object without the name', { y: [1] }, info([1]), 'EDGE_INPUT_TYPE'],
    ['an object of __proto__', JSON.parse('{"__proto__": {"x": [1]}}'), info([1]), 'EDGE_INPUT_TYPE'],
    ['lists without end', Array.from({ length: 20 }).reduce<unknown>((inner) => [inner], 1), info([1]), 'EDGE_INPUT_TYPE'],
  ])('refuses %s', (_name, payload, input, code) => {
    expect(() => one(payload, input)).toThrow(expect.objectContaining({ code }));
  });

  it('names what the model takes', () => {
    expect(() => one('x', info([1, 4]))).toThrow(/text|string/);
    expect(() => one({ y: 1 }, info([1, 'n']))).toThrow(/"x" float32 \[1, n\]/);
  });
});

describe('a model of tensors as a task', () => {
  const host = new InferenceHost(0);
  const workshop = new Workshop();
  const manifest: Manifest = { ...COLOURS, id: 'difference', task: 'tensors', input: { kind: 'raw' }, output: { head: 'none' } };
  const difference = onnxModel({
    inputs: [
      { name: 'a', shape: ['n'] },
      { name: 'b', shape: ['n'] },
    ],
    outputs: [
      { name: 'less', shape: ['n'] },
      { name: 'root', shape: ['n'] },
    ],
    nodes: [
      { operator: 'Sub', inputs: ['a', 'b'], outputs: ['less'] },
      { operator: 'Sqrt', inputs: ['less'], outputs: ['root'] },
    ],
  });
  let task: Task;
  beforeAll(async () => {
    task = await openTask(workshop.resolved(difference, manifest), {}, host);
  });
  afterAll(async () => {
    await task.close();
    await host.close();
    workshop.remove();
  });

  it('gives every output as a tensor by its name', async () => {
    const { result, frame } = await task.run({ a: [5, 9], b: [1, 0] });
    expect(frame).toBeUndefined();
    const { schema, model, tensors } = result as TensorsResult;
    expect({ schema, model }).toEqual({ schema: 'edgeloom/tensors/1', model: 'difference@3' });
    expect(Array.from(tensorValue(tensors.less!).data as Float32Array)).toEqual([4, 9]);
    expect(Array.from(tensorValue(tensors.root!).data as Float32Array)).toEqual([2, 3]);
    expect(JSON.parse(JSON.stringify(tensors.less))).toMatchObject({ kind: 'tensor', type: 'float32', shape: [2] });
  });

  it('does not pass NaN on', async () => {
    await expect(task.run({ a: [1], b: [5] })).rejects.toMatchObject({ code: 'EDGE_MODEL_OUTPUT_NOT_FINITE' });
  });

  it('refuses after it was closed', async () => {
    const other = await openTask(workshop.resolved(difference, manifest), {}, host);
    await other.close();
    await expect(other.run({ a: [1], b: [1] })).rejects.toMatchObject({ code: 'EDGE_SESSION_CLOSED' });
    await task.run({ a: [1], b: [1] });
  });
});

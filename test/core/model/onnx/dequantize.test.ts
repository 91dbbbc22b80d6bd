import { readFileSync } from 'node:fs';
import type { TensorValue } from '../../../../core/message/tensor';
import { dequantizeModel } from '../../../../core/model/onnx/dequantize';
import { graphOf, readModel } from '../../../../core/model/onnx/graph';
import { declaration, operation } from '../../../../core/model/onnx/node';
import type { NodeProto, TensorProto } from '../../../../core/model/onnx/protobuf';
import { constant, floats } from '../../../../core/model/onnx/tensor';
import { observable } from '../../../../core/quantize/calibrate';
import { quantizeModel } from '../../../../core/quantize/quantize';
import { describeWith, find } from '../../../support/needs';
import { noise } from '../import/tfjs-model';
import { runModel } from './run';
import { tinyModel } from './tiny';

const bytes = (values: number[], shape: number[] = []): TensorValue => ({ type: 'uint8', shape, data: Uint8Array.from(values) });
const signed = (values: number[], shape: number[]): TensorValue => ({ type: 'int8', shape, data: Int8Array.from(values) });
const quantize = (from: string, to: string) => operation('QuantizeLinear', [from, 'scale', 'zero'], [to]);
const dequantize = (from: string, to: string) => operation('DequantizeLinear', [from, 'scale', 'zero'], [to]);

/** Step 0.5; 8 bits hold -1 to 126.5. */
const PARAMETERS = [constant('scale', floats([0.5], [])), constant('zero', bytes([2]))];

function model(nodes: NodeProto[], constants: TensorProto[] = PARAMETERS, opset = 13): Uint8Array {
  const type = nodes[0]!.input[0] === 'x' && nodes[0]!.opType === 'DequantizeLinear' ? 'uint8' : 'float32';
  const outputs = nodes.some(({ output }) => output.includes('steps out')) ? [declaration('steps out', 'uint8', [4])] : [];
  return tinyModel({
    opset,
    inputs: [declaration('x', type, [4])],
    outputs: [declaration('y', 'float32', [4]), ...outputs],
    constants,
    nodes,
  });
}
const operators = (file: Uint8Array) => graphOf(readModel(file)).node.map(({ opType }) => opType);
const x = (...values: number[]) => ({ x: floats(values) });

describe('a model made float again', () => {
  it('holds its weights as the values that the steps stood for, one scale and zero point per channel of any axis', async () => {
    const weights = [10, -20, 30, -40, 50, -60];
    for (const { axis, shape, scales, zeros } of [
      { axis: 0, shape: [2, 3], scales: [0.5, 2], zeros: [1, -1] },
      { axis: 1, shape: [2, 3], scales: [0.5, 2, 4], zeros: [0, 3, -3] },
      { axis: -1, shape: [2, 3], scales: [1, 0.25, 3], zeros: [5, 0, 1] },
      { axis: 1, shape: [1, 2, 3], scales: [0.1, 7], zeros: [0, 0] },
    ]) {
      const file = tinyModel({
        inputs: [declaration('x', 'float32', [1])],
        outputs: [declaration('y', 'float32', shape)],
        constants: [
          constant('w', signed(weights, shape)),
          constant('s', floats(scales)),
          constant('z', signed(zeros, [zeros.length])),
        ],
        nodes: [
          operation('DequantizeLinear', ['w', 's', 'z'], ['wide'], { attributes: { axis } }),
          operation('Mul', ['x', 'wide'], ['y']),
        ],
      });
      const made = dequantizeModel(file)!;
      expect(made).toMatchObject({ weights: 1, activations: 0, left: [] });
      expect(operators(made.model)).toEqual(['Mul']);
      const [before, after] = [await runModel(file, x(1)), await runModel(made.model, x(1))];
      expect(after.y!.data).toEqual(before.y!.data);
      expect(after.y!.dims).toEqual(shape);
    }
  });

  it.each([10, 13])(
    'rounds activations no more, but bounds them where that stands for Relu6 (operator set %i)',
    async (opset) => {
      const parameters = [constant('scale', floats([6 / 255], [])), constant('zero', bytes([0]))];
      const made = dequantizeModel(model([quantize('x', 'q'), dequantize('q', 'y')], parameters, opset))!;
      expect(operators(made.model)).toEqual(['Clip']);
      const { y } = await runModel(made.model, x(-3, 1.23456, 5.9, 9));
      expect(y!.data).toEqual(Float32Array.of(0, 1.23456, 5.9, 6));
    },
  );

  it('leaves out bounds that only came from calibration, and those that cannot be reached', async () => {
    const calibrated = dequantizeModel(model([quantize('x', 'q'), dequantize('q', 'y')]))!;
    expect((await runModel(calibrated.model, x(-3, 1.23456, 5, 900))).y!.data).toEqual(Float32Array.of(-3, 1.23456, 5, 900));
    const parameters = [constant('scale', floats([1 / 255], [])), constant('zero', bytes([0]))];
    const squashed = model([operation('Sigmoid', ['x'], ['s']), quantize('s', 'q'), dequantize('q', 'y')], parameters);
    expect(operators(dequantizeModel(squashed)!.model)).toEqual(['Sigmoid', 'Identity']);
  });

  it('serves every reader of a value that went through 8 bits, also one that reads a second DequantizeLinear', async () => {
    const file = model([
      quantize('x', 'q'),
      dequantize('q', 'a'),
      dequantize('q', 'b'),
      operation('Add', ['a', 'b'], ['sum']),
      operation('Mul', ['sum', 'a'], ['y']),
    ]);
    const made = dequantizeModel(file)!;
    expect((await runModel(made.model, x(1, 2, 3, 4))).y!.data).toEqual(Float32Array.of(2, 8, 18, 32));
    expect(operators(made.model)).not.toContain('QuantizeLinear');
  });

  it('keeps an input of bytes, and steps that are a result', async () => {
    const input = model([dequantize('x', 'a'), quantize('a', 'q'), dequantize('q', 'y')]);
    const made = dequantizeModel(input)!;
    expect(graphOf(readModel(made.model)).input[0]).toEqual(graphOf(readModel(input)).input[0]);
    expect(operators(made.model)).toContain('DequantizeLinear');
    const given = { x: bytes([0, 2, 4, 255], [4]) };
    expect((await runModel(made.model, given)).y!.data).toEqual((await runModel(input, given)).y!.data);

    const result = model([quantize('x', 'q'), dequantize('q', 'a'), quantize('a', 'steps out'), dequantize('steps out', 'y')]);
    expect(operators(dequantizeModel(result)!.model).filter((name) => name.endsWith('Linear'))).toEqual([
      'QuantizeLinear',
      'DequantizeLinear',
    ]);
  });

  it('leaves pairs whose scales differ, and integer operators, which it names', () => {
    const differing = model(
      [quantize('x', 'q'), operation('DequantizeLinear', ['q', 'other', 'zero'], ['y'])],
      [...PARAMETERS, constant('other', floats([0.25], []))],
    );
    expect(dequantizeModel(differing)).toBeNull();
    const mixed = tinyModel({
      inputs: [declaration('x', 'float32', [2, 2])],
      outputs: [declaration('y', 'int32', [2, 2])],
      constants: [...PARAMETERS, constant('w', bytes([1, 2, 3, 4], [2, 2]))],
      nodes: [
        quantize('x', 'first'),
        dequantize('first', 'a'),
        quantize('a', 'steps'),
        operation('MatMulInteger', ['steps', 'w'], ['y']),
      ],
    });
    expect(dequantizeModel(mixed)).toMatchObject({ activations: 1, left: ['MatMulInteger'] });
  });

  it('is nothing for a model that is float already', () => {
    expect(dequantizeModel(model([operation('Relu', ['x'], ['y'])]))).toBeNull();
  });

  it('computes what the model computed before it was quantized, where quantizing rounds only', async () => {
    const shape = [1, 8, 6, 6];
    const float = tinyModel({
      inputs: [declaration('x', 'float32', shape)],
      outputs: [declaration('y', 'float32', [1, 4, 6, 6])],
      constants: [
        constant('w1', floats(noise(64, 11), [8, 8, 1, 1])),
        constant('b1', floats(noise(8, 12))),
        constant('w2', floats(noise(72, 13), [8, 1, 3, 3])),
        constant('w3', floats(noise(32, 14), [4, 8, 1, 1])),
      ],
      nodes: [
        operation('Conv', ['x', 'w1', 'b1'], ['c1']),
        operation('Relu', ['c1'], ['r1']),
        operation('Conv', ['r1', 'w2'], ['c2'], { attributes: { group: 8, pads: [1, 1, 1, 1], kernel_shape: [3, 3] } }),
        operation('Add', ['c2', 'r1'], ['s1']),
        operation('Conv', ['s1', 'w3'], ['y']),
      ],
    });
    const given = { x: floats(noise(8 * 36, 5), shape) };
    const { model: observed, names } = observable(float);
    const seen = { ...(await runModel(observed, given)), x: given.x };
    const extremes = (name: string): [number, number] => {
      const values = seen[name as keyof typeof seen]!.data as Float32Array;
      return [Math.min(...values), Math.max(...values)];
    };
    const ranges = Object.fromEntries(names.map((name) => [name, extremes(name)]));
    const quantized = quantizeModel(float, { ranges }).model;
    const made = dequantizeModel(quantized)!;
    expect(operators(made.model).filter((name) => name.endsWith('Linear'))).toEqual([]);
    const wanted = (await runModel(float, given)).y!.data;
    const largest = Math.max(...wanted.map(Math.abs));
    const errorOf = async (file: Uint8Array) => {
      const found = (await runModel(file, given)).y!.data;
      return Math.max(...found.map((value, at) => Math.abs(value - wanted[at]!))) / largest;
    };
    // What is left is the rounding of the weights.
    expect(await errorOf(made.model)).toBeLessThan(0.05);
    expect(await errorOf(made.model)).toBeLessThan(await errorOf(quantized));
  });

  describeWith(['detector'], 'for the packaged detector', () => {
    it('has no value in 8 bits but the picture', () => {
      const made = dequantizeModel(readFileSync(find('detector')!))!;
      const { node, input } = graphOf(readModel(made.model));
      expect(made.left).toEqual([]);
      const linear = node.filter(({ opType }) => opType.endsWith('Linear'));
      expect(linear.map(({ opType, input: [name] }) => [opType, name])).toEqual([['DequantizeLinear', input[0]!.name]]);
    });
  });
});

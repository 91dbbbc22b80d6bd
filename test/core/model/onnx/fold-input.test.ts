import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TensorValue } from '../../../../core/message/tensor';
import type { ImageInput } from '../../../../core/model/manifest';
import { foldImageInput } from '../../../../core/model/onnx/fold-input';
import { modelMetadata } from '../../../../core/model/onnx/metadata';
import { declaration, operation } from '../../../../core/model/onnx/node';
import { constant, floats } from '../../../../core/model/onnx/tensor';
import { describeWith, SHARED } from '../../../support/needs';
import { runModel } from './run';
import { tinyModel } from './tiny';

const WIDTH = 5;
const HEIGHT = 4;
const IMAGENET = { mean: [123.675, 116.28, 103.53], scale: [1 / 58.395, 1 / 57.12, 1 / 57.375] };

const image = (parts: Partial<ImageInput>): ImageInput => ({
  kind: 'image',
  width: WIDTH,
  height: HEIGHT,
  layout: 'NCHW',
  colours: 'rgb',
  mean: [0],
  scale: [1],
  fit: 'letterbox',
  ...parts,
});

describe('a model whose input takes pixels as they are', () => {
  const layouts: ImageInput['layout'][] = ['NCHW', 'NHWC'];
  const colours: ImageInput['colours'][] = ['rgb', 'bgr'];
  const normalisations = {
    nothing: { mean: [0], scale: [1] },
    'one number': { mean: [127.5], scale: [1 / 127.5] },
    ImageNet: IMAGENET,
  };

  for (const layout of layouts) {
    for (const colour of colours) {
      for (const [name, normalisation] of Object.entries(normalisations)) {
        it(`computes bit for bit what a loop computed: ${layout}, ${colour}, mean and scale of ${name}`, async () => {
          const input = image({ layout, colours: colour, ...normalisation });
          expect(await foldedOutput(input)).toEqual(prepared(pixels(WIDTH, HEIGHT), input).data);
        });
      }
    }
    it(`makes grey of colours by BT.601: ${layout}`, async () => {
      const input = image({ layout, colours: 'grey', mean: [128], scale: [1 / 128] });
      const wanted = prepared(pixels(WIDTH, HEIGHT), input).data;
      const got = await foldedOutput(input);
      expect(got).toHaveLength(wanted.length);
      got.forEach((value, at) => {
        expect(value).toBeCloseTo(Number(wanted[at]), 5);
      });
    });
  }

  it('pads a first convolution with normalised zeros, as before', async () => {
    const input = image({ mean: [127.5], scale: [1 / 127.5] });
    const model = tinyModel({
      inputs: [declaration('x', 'float32', [1, 3, HEIGHT, WIDTH])],
      outputs: [declaration('y', 'float32', [1, 1, HEIGHT, WIDTH])],
      constants: [constant('w', floats(new Float32Array(27).fill(1), [1, 3, 3, 3]))],
      nodes: [operation('Conv', ['x', 'w'], ['y'], { attributes: { pads: [1, 1, 1, 1], kernel_shape: [3, 3] } })],
    });
    const picture = pixels(WIDTH, HEIGHT);
    const before = await runModel(model, { x: prepared(picture, input) });
    const after = await runModel(foldImageInput(model, input), { x: picture });
    expect(after.y!.data).toEqual(before.y!.data);
  });

  it.each([7, 9, 11, 13, 17, 21])('works in operator set %i', async (opset) => {
    const input = image({ colours: 'bgr', ...IMAGENET });
    expect(await foldedOutput(input, opset)).toEqual(prepared(pixels(WIDTH, HEIGHT), input).data);
  });

  it('keeps a symbolic batch and runs more than one picture', async () => {
    const model = tinyModel({
      inputs: [declaration('x', 'float32', ['N', 3, 'H', 'W'])],
      outputs: [declaration('y', 'float32', ['N', 3, 'H', 'W'])],
    });
    const folded = foldImageInput(model, image({}));
    expect(modelMetadata(folded).inputs).toEqual([{ name: 'x', type: 'uint8', shape: ['N', HEIGHT, WIDTH, 3] }]);
    const two: TensorValue = { ...pixels(WIDTH, HEIGHT * 2), shape: [2, HEIGHT, WIDTH, 3] };
    const { y } = await runModel(folded, { x: two });
    expect(y!.dims).toEqual([2, 3, HEIGHT, WIDTH]);
    expect(y!.data[0]).toBe(two.data[0]);
    expect(y!.data[3 * HEIGHT * WIDTH]).toBe(two.data[3 * HEIGHT * WIDTH]);
  });

  it('leaves a uint8 input without arithmetic', async () => {
    const model = tinyModel({
      inputs: [declaration('x', 'uint8', [1, 3, HEIGHT, WIDTH])],
      outputs: [declaration('y', 'uint8', [1, 3, HEIGHT, WIDTH])],
    });
    const { y } = await runModel(foldImageInput(model, image({})), { x: pixels(WIDTH, HEIGHT) });
    expect(y!.data).toEqual(Uint8Array.from(prepared(pixels(WIDTH, HEIGHT), image({})).data as Float32Array));
  });

  it('feeds the branches of an If as well', async () => {
    const shape = [1, 3, HEIGHT, WIDTH];
    const branch = (name: string, opType: string) => ({
      name,
      node: [operation(opType, ['x'], [`${name}_y`])],
      output: [declaration(`${name}_y`, 'float32', shape)],
    });
    const choose = operation('If', ['yes'], ['y'], {
      attributes: { then_branch: { graph: branch('then', 'Neg') }, else_branch: { graph: branch('else', 'Abs') } },
    });
    const model = tinyModel({
      inputs: [declaration('x', 'float32', shape), declaration('yes', 'bool', [])],
      outputs: [declaration('y', 'float32', shape)],
      nodes: [choose],
    });
    const picture = pixels(WIDTH, HEIGHT);
    const input = image({ name: 'x' });
    const { y } = await runModel(foldImageInput(model, input), {
      x: picture,
      yes: { type: 'bool', shape: [], data: Uint8Array.of(1) },
    });
    expect(y!.data).toEqual((prepared(picture, input).data as Float32Array).map((value) => -value));
  });
});

describe('what cannot be folded is refused with a code', () => {
  const model = tinyModel({
    inputs: [declaration('x', 'float32', [1, 3, HEIGHT, WIDTH])],
    outputs: [declaration('y', 'float32', [1, 3, HEIGHT, WIDTH])],
  });
  it.each([
    ['another size', image({ width: 6 }), 'EDGE_MODEL_INPUT_SHAPE'],
    ['another layout', image({ layout: 'NHWC' }), 'EDGE_MODEL_INPUT_SHAPE'],
    ['grey for a colour model', image({ colours: 'grey' }), 'EDGE_MODEL_INPUT_SHAPE'],
    ['an input that is not there', image({ name: 'pixels' }), 'EDGE_MODEL_MANIFEST'],
    ['two means for three channels', image({ mean: [1, 2] }), 'EDGE_MODEL_MANIFEST'],
    ['a scale that is not a number', image({ scale: [Number.NaN] }), 'EDGE_MODEL_MANIFEST'],
  ])('%s', (_, input, code) => {
    expect(() => foldImageInput(model, input)).toThrow(expect.objectContaining({ code }));
  });

  it('a model older than its runtime', () => {
    const old = tinyModel({
      inputs: [declaration('x', 'float32', [1, 3, HEIGHT, WIDTH])],
      outputs: [declaration('y', 'float32', [1, 3, HEIGHT, WIDTH])],
      opset: 6,
    });
    expect(() => foldImageInput(old, image({}))).toThrow(expect.objectContaining({ code: 'EDGE_MODEL_UNSUPPORTED' }));
  });
});

describeWith(['shared'], 'published models give the same outputs from pixels', () => {
  const models: [string, ImageInput, number][] = [
    ['yolox_nano_416', image({ width: 416, height: 416, colours: 'bgr' }), 0],
    [
      'nanodet_m_320',
      image({ width: 320, height: 320, colours: 'bgr', mean: [103.53, 116.28, 123.675], scale: [0.0174, 0.0175, 0.0171] }),
      0,
    ],
    ['fastestdet_352', image({ width: 352, height: 352, colours: 'bgr', scale: [1 / 255] }), 0],
    ['ultraface_rfb_320', image({ width: 320, height: 240, mean: [127], scale: [1 / 128] }), 0],
    ['yunet_n_dynamic', image({ width: 320, height: 256, colours: 'bgr' }), 0],
    ['blazeface_front_128', image({ width: 128, height: 128, layout: 'NHWC', mean: [127.5], scale: [1 / 127.5] }), 0],
    ['road_segmentation_adas_0001', image({ width: 896, height: 512, layout: 'NHWC', colours: 'bgr' }), 0],
    // The weighted sum of three channels rounds in another order than the loop.
    ['mnist', image({ width: 28, height: 28, colours: 'grey', scale: [1 / 255] }), 1e-3],
  ];
  it.each(models)('%s', async (name, input, tolerance) => {
    const bytes = readFileSync(join(SHARED, 'models', `${name}.onnx`));
    const picture = pixels(input.width, input.height);
    const inputName = modelMetadata(bytes).inputs[0]!.name;
    const before = await runModel(bytes, { [inputName]: prepared(picture, input) });
    const after = await runModel(foldImageInput(bytes, input), { [inputName]: picture });
    expect(Object.keys(after)).toEqual(Object.keys(before));
    for (const [output, { data }] of Object.entries(before))
      expect(furthest(after[output]!.data, data)).toBeLessThanOrEqual(tolerance);
  });
});

async function foldedOutput(input: ImageInput, opset = 13): Promise<Float32Array> {
  const channels = input.colours === 'grey' ? 1 : 3;
  const shape = input.layout === 'NCHW' ? [1, channels, HEIGHT, WIDTH] : [1, HEIGHT, WIDTH, channels];
  const model = tinyModel({
    inputs: [declaration('x', 'float32', shape)],
    outputs: [declaration('y', 'float32', shape)],
    opset,
  });
  const { y } = await runModel(foldImageInput(model, input), { x: pixels(WIDTH, HEIGHT) });
  return y!.data;
}

/** A picture of every value and no symmetry. */
function pixels(width: number, height: number): TensorValue {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, at) => (at * 101 + ((at * at) >> 3)) & 255);
  return { type: 'uint8', shape: [1, height, width, 3], data };
}

/** What a Function node would do: a loop over the pixels. */
function prepared({ data }: TensorValue, { width, height, layout, colours, mean, scale }: ImageInput): TensorValue {
  const channels = colours === 'grey' ? 1 : 3;
  const out = new Float32Array(width * height * channels);
  for (let at = 0; at < width * height; at += 1) {
    const [red, green, blue] = [Number(data[at * 3]), Number(data[at * 3 + 1]), Number(data[at * 3 + 2])];
    const grey = 0.299 * red + 0.587 * green + 0.114 * blue;
    const ordered = { rgb: [red, green, blue], bgr: [blue, green, red], grey: [grey] }[colours];
    ordered.forEach((value, channel) => {
      const shifted = Math.fround(Math.fround(value) - Math.fround(mean[channel] ?? mean[0]!));
      const to = layout === 'NCHW' ? channel * width * height + at : at * channels + channel;
      out[to] = shifted * Math.fround(scale[channel] ?? scale[0]!);
    });
  }
  const shape = layout === 'NCHW' ? [1, channels, height, width] : [1, height, width, channels];
  return { type: 'float32', shape, data: out };
}

function furthest(one: Float32Array, other: Float32Array): number {
  expect(one.length).toBe(other.length);
  return one.reduce((worst, value, at) => Math.max(worst, Math.abs(value - other[at]!)), 0);
}

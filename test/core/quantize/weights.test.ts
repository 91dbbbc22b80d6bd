import type { TensorValue } from '../../../core/message/tensor';
import { quantizeWeights, roundEven } from '../../../core/quantize/weights';
import { noise } from '../model/import/tfjs-model';

const weights = (shape: number[], data: ArrayLike<number>): TensorValue => ({
  type: 'float32',
  shape,
  data: Float32Array.from(data),
});

/** What an x64 processor without VNNI does: two products at a time in a 16-bit number that saturates, then a 32-bit sum. */
function saturatingSum(activations: Uint8Array, steps: ArrayLike<number>): number {
  let sum = 0;
  for (let k = 0; k < steps.length; k += 2) {
    const pair = activations[k]! * steps[k]! + (k + 1 < steps.length ? activations[k + 1]! * steps[k + 1]! : 0);
    sum += Math.max(-32768, Math.min(32767, pair));
  }
  return sum;
}

const exactSum = (activations: Uint8Array, steps: ArrayLike<number>) =>
  activations.reduce((sum, activation, k) => sum + activation * steps[k]!, 0);

/** The steps of one output channel in the order in which a matrix kernel reads them: height, width, channel. */
function kernelOrder(steps: Int8Array, depth: number, area: number): number[] {
  return Array.from({ length: depth * area }, (_, k) => steps[(k % depth) * area + Math.floor(k / depth)]!);
}

describe('weights in 8 bits', () => {
  it.each([
    ['1x1', [6, 64, 1, 1]],
    ['3x3 of 3 channels', [6, 3, 3, 3]],
    ['1x1 of an odd number of channels', [6, 33, 1, 1]],
  ])('sum to the same on a processor that saturates, whatever the activations: %s', (_, shape) => {
    const [channels, depth, height, width] = shape as [number, number, number, number];
    const each = depth * height * width;
    // The hardest there are: all of one sign, all nearly the greatest.
    const data = noise(channels * each).map((value, at) =>
      at < 2 * each ? 1.9 + value / 50 : at < 4 * each ? -1.9 - value / 50 : value,
    );
    const { steps } = quantizeWeights(weights([...shape], data), 'safe');
    for (let channel = 0; channel < channels; channel += 1) {
      const read = kernelOrder(steps.subarray(channel * each, (channel + 1) * each), depth, height * width);
      for (const activations of [
        new Uint8Array(each).fill(255),
        Uint8Array.from(noise(each, channel), (value) => (value + 2) * 63),
      ]) {
        expect(saturatingSum(activations, read)).toBe(exactSum(activations, read));
      }
    }
  });

  it('saturate where they are not made safe', () => {
    const { steps } = quantizeWeights(weights([1, 4, 1, 1], [1, 1, 1, 1]), 'free');
    const loud = new Uint8Array(4).fill(255);
    expect(saturatingSum(loud, steps)).toBeLessThan(exactSum(loud, steps));
  });

  it('lose at most one bit to safety, and nothing where neighbours differ in sign', () => {
    expect(quantizeWeights(weights([1, 2, 1, 1], [1, 1]), 'safe').scales[0]).toBeCloseTo(2 / 128, 6);
    expect(quantizeWeights(weights([1, 2, 1, 1], [1, -1]), 'safe').scales[0]).toBeCloseTo(1 / 127, 6);
  });

  it('err by half a step at most in a 1x1 convolution that needs no mending', () => {
    const data = noise(4 * 32);
    const { steps, scales } = quantizeWeights(weights([4, 32, 1, 1], data), 'free');
    data.forEach((value, at) => {
      const scale = scales[Math.floor(at / 32)]!;
      expect(Math.abs(steps[at]! * scale - value)).toBeLessThanOrEqual(scale / 2 + 1e-6);
    });
  });

  it('keep the sum of a small filter, so that an edge filter does not answer to plain grey', () => {
    const data = Float32Array.of(0.3, -1.04, 0.34, 0.77, -1.51, 0.74, 0.31, -1.02, 1.11);
    const { steps, scales } = quantizeWeights(weights([1, 1, 3, 3], data), 'free');
    const sum = data.reduce((total, value) => total + value, 0);
    const kept = steps.reduce((total, step) => total + step, 0) * scales[0]!;
    expect(Math.abs(kept - sum)).toBeLessThanOrEqual(scales[0]! / 2 + 1e-6);
  });

  it('may all be zero', () => {
    const { steps, scales } = quantizeWeights(weights([1, 2, 1, 1], [0, 0]), 'safe');
    expect([...steps]).toEqual([0, 0]);
    expect(scales[0]).toBeGreaterThan(0);
  });

  it('are rounded half to even, as ONNX does', () => {
    expect([0.5, 1.5, 2.5, -0.5, -1.5, 2.4, -2.6].map(roundEven).map(Number)).toEqual([0, 2, 2, -0, -2, 2, -3]);
  });
});

import type { TensorValue } from '../message/tensor';

/** Convolution weights [out, in per group, height, width] in 8 bits: weight = step * scale of its output channel. */
export interface QuantizedWeights {
  steps: Int8Array<ArrayBuffer>;
  /** One per output channel, rounded to float32. */
  scales: Float32Array<ArrayBuffer>;
}

/**
 * The largest sum of two neighbouring steps of one sign. An x64 processor without VNNI adds the products of two unsigned
 * activations (to 255) and two signed weights in a 16-bit number that saturates: 255 * 128 still fits, 255 * 129 does not.
 */
const LARGEST_PAIR = 128;
const LARGEST_STEP = 127;

/**
 * Quantize per output channel, symmetrically. `pairs: 'safe'` chooses each scale so that no two weights that such a processor
 * multiplies together can saturate, at most one bit coarser and mostly much less; the result is then the same on every
 * processor. The pairs are those of ONNX Runtime's matrix kernels: neighbours (2i, 2i + 1) in the order height, width, channel.
 * Depthwise convolutions run in another kernel, with 32-bit sums: 'free'.
 */
export function quantizeWeights({ shape, data }: TensorValue, pairs: 'safe' | 'free'): QuantizedWeights {
  const [channels = 0, depth = 1, ...kernel] = shape;
  const area = kernel.reduce((product, size) => product * size, 1);
  const each = depth * area;
  const weights = data as Float32Array;
  const steps = new Int8Array(weights.length);
  const scales = new Float32Array(channels);
  // Position of the k-th weight in kernel order (height, width, channel) within an output channel (channel, height, width).
  const order = Int32Array.from({ length: each }, (_, k) => (k % depth) * area + Math.floor(k / depth));
  for (let channel = 0; channel < channels; channel += 1) {
    const own = weights.subarray(channel * each, (channel + 1) * each);
    const scale = Math.fround(pairs === 'safe' ? safeScale(own, order) : largest(own) / LARGEST_STEP) || 1;
    const ownSteps = steps.subarray(channel * each, (channel + 1) * each);
    for (let at = 0; at < each; at += 1)
      ownSteps[at] = Math.max(-LARGEST_STEP, Math.min(LARGEST_STEP, roundEven(own[at]! / scale)));
    if (pairs === 'safe') mendPairs(own, ownSteps, scale, order);
    scales[channel] = scale;
  }
  return { steps, scales };
}

/** Round half to even, as ONNX does. */
export function roundEven(value: number): number {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

function largest(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

function safeScale(weights: Float32Array, order: Int32Array): number {
  let most = largest(weights) / LARGEST_STEP;
  for (let k = 0; k + 1 < order.length; k += 2) {
    const [one, other] = [weights[order[k]!]!, weights[order[k + 1]!]!];
    if (one > 0 === other > 0) most = Math.max(most, Math.abs(one + other) / LARGEST_PAIR);
  }
  return most;
}

/** Rounding can lift a pair one step over: the one that was rounded up further goes back. */
function mendPairs(weights: Float32Array, steps: Int8Array, scale: number, order: Int32Array): void {
  for (let k = 0; k + 1 < order.length; k += 2) {
    const [a, b] = [order[k]!, order[k + 1]!];
    while (Math.sign(steps[a]!) === Math.sign(steps[b]!) && Math.abs(steps[a]! + steps[b]!) > LARGEST_PAIR) {
      const excess = (at: number) => Math.abs(steps[at]!) - Math.abs(weights[at]! / scale);
      const back = excess(a) >= excess(b) ? a : b;
      steps[back] = steps[back]! - Math.sign(steps[back]!);
    }
  }
}

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

/** Scales that are tried for one channel of a depthwise filter, each half a percent wider than the one before. */
const SCALES_TRIED = 24;
const WIDER = 0.005;

/** How much more a shifted sum hurts than single errors: neighbouring pixels are alike, so that its error does not average out. */
const SUM_WEIGHT = 4;

/**
 * Quantize per output channel, symmetrically. `pairs: 'safe'` chooses each scale so that no two weights that a processor
 * without VNNI multiplies together can saturate: at most one bit coarser, mostly much less, and the same result on every
 * processor. The pairs are those of ONNX Runtime's matrix kernels: neighbours (2i, 2i + 1) in the order height, width,
 * channel. Depthwise convolutions run in another kernel, with 32-bit sums: 'free'.
 *
 * For depthwise filters, among scales a little wider than need be, the one is taken whose rounding errs least; and where a filter has more than one
 * weight per input channel, weights are rounded so that their sum stays what it was. A filter of large weights that cancel
 * (an edge) would otherwise answer to plain grey.
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
    const least = (pairs === 'safe' ? safeScale(own, order) : largest(own) / LARGEST_STEP) || 1;
    let lowest = Number.POSITIVE_INFINITY;
    // The errors of many weights average out whatever the scale; those of a depthwise filter's few do not.
    for (let tried = 0; tried < (depth === 1 ? SCALES_TRIED : 1); tried += 1) {
      const scale = Math.fround(least * (1 + tried * WIDER));
      const rounded = roundWeights(own, scale, area);
      if (pairs === 'safe') mendPairs(own, rounded, scale, order);
      const error = errorOf(own, rounded, scale, area);
      if (error >= lowest) continue;
      lowest = error;
      scales[channel] = scale;
      steps.set(rounded, channel * each);
    }
  }
  return { steps, scales };
}

/** Round half to even, as ONNX does. */
export function roundEven(value: number): number {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** To the nearest step, then as few as possible one step further so that each filter's sum is within half a step. */
function roundWeights(weights: Float32Array, scale: number, area: number): Int8Array {
  const steps = Int8Array.from(weights, (weight) => Math.max(-LARGEST_STEP, Math.min(LARGEST_STEP, roundEven(weight / scale))));
  if (area === 1) return steps;
  for (let from = 0; from < weights.length; from += area) {
    const excess = (at: number) => steps[at]! - weights[at]! / scale;
    let sum = 0;
    for (let at = from; at < from + area; at += 1) sum += excess(at);
    for (; Math.abs(sum) > 0.5; sum -= Math.sign(sum)) {
      const direction = Math.sign(sum);
      let moved = from;
      for (let at = from; at < from + area; at += 1) if (direction * excess(at) > direction * excess(moved)) moved = at;
      if (Math.abs(steps[moved]! - direction) > LARGEST_STEP) break;
      steps[moved] = steps[moved]! - direction;
    }
  }
  return steps;
}

function errorOf(weights: Float32Array, steps: Int8Array, scale: number, area: number): number {
  let error = 0;
  for (let from = 0; from < weights.length; from += area) {
    let sum = 0;
    for (let at = from; at < from + area; at += 1) {
      const off = steps[at]! * scale - weights[at]!;
      sum += off;
      error += off * off;
    }
    if (area > 1) error += SUM_WEIGHT * sum * sum;
  }
  return error;
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

import { EdgeError } from '../errors';
import type { ClassScore } from '../message/results';
import { notFinite } from '../vision/candidates';
import { labelOf } from '../vision/heads/detections';
import { floatOutput, type Outputs } from '../vision/heads/outputs';

/**
 * The best classes of a classifier's one output, [1, classes] or with more dimensions of 1: softmax unless the values already
 * are probabilities, best first.
 * @throws EDGE_MODEL_OUTPUT_SHAPE, EDGE_MODEL_OUTPUT_NOT_FINITE
 */
export function classesOf(outputs: Outputs, labels: readonly string[], most: number): ClassScore[] {
  const names = Object.keys(outputs);
  if (names.length !== 1) throw new EdgeError('EDGE_MODEL_OUTPUT_SHAPE', `expected one output, got ${names.length}`);
  const { data, shape } = floatOutput(outputs[names[0]!]!, names[0]!);
  if (data.length === 0 || shape.filter((size) => size > 1).length > 1) {
    throw new EdgeError('EDGE_MODEL_OUTPUT_SHAPE', `"${names[0]}" is [${shape.join(', ')}], expected [1, classes]`);
  }
  const probabilities = asProbabilities(data);
  const order = Array.from(probabilities.keys()).filter((index) => labels[index] !== '');
  order.sort((a, b) => probabilities[b]! - probabilities[a]! || a - b);
  return order.slice(0, most).map((index) => ({
    label: labelOf(labels, index),
    score: Math.round(probabilities[index]! * 10_000) / 10_000,
  }));
}

function asProbabilities(values: Float32Array): Float32Array {
  let sum = 0;
  let most = -Infinity;
  let least = Infinity;
  for (const value of values) {
    sum += value;
    most = Math.max(most, value);
    least = Math.min(least, value);
  }
  if (!Number.isFinite(sum)) throw notFinite();
  if (least >= 0 && most <= 1 && Math.abs(sum - 1) < 0.02) return values;
  const weights = values.map((value) => Math.exp(value - most));
  const total = weights.reduce((all, weight) => all + weight, 0);
  return weights.map((weight) => weight / total);
}

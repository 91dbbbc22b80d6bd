import { EdgeError } from '../errors';
import type { Placement } from '../media/letterbox';
import type { ClassificationResult, ClassScore } from '../message/results';
import type { HeadSettings } from '../model/manifest';
import { notFinite } from '../vision/candidates';
import { labelOf } from '../vision/heads/detections';
import { floatOutput, type Outputs } from '../vision/heads/outputs';
import { type Decoder, type DecoderSettings, labelWarnings, sourceSize } from './decoder';

export class ClassificationDecoder implements Decoder {
  private head: ClassificationHead | undefined;

  constructor(private readonly settings: DecoderSettings) {}

  settle(outputs: Outputs): string[] {
    const { labels, settings } = this.settings;
    this.head = new ClassificationHead(outputs, labels, settings);
    return labelWarnings(this.settings, this.head.classCount(outputs));
  }

  decode(outputs: Outputs, placement: Placement): ClassificationResult {
    const { model, only } = this.settings;
    const classes = this.head!.decode(outputs, only);
    return { schema: 'edgeloom/classification/1', model, image: sourceSize(placement), classes };
  }
}

/** Turns a classifier's one output, [1, classes] or with more dimensions of 1, into its best classes. */
export class ClassificationHead {
  private readonly softmax: boolean;

  /**
   * Whether the graph ends in a softmax is settled once, by `parameters.softmax` (true: apply it here) or by the outputs of a
   * first run, so that it cannot differ from picture to picture.
   * @throws EDGE_MODEL_OUTPUT_SHAPE, EDGE_MODEL_OUTPUT_NOT_FINITE
   */
  constructor(
    first: Outputs,
    private readonly labels: readonly string[],
    private readonly settings: HeadSettings,
  ) {
    const said = settings.parameters?.softmax;
    this.softmax = typeof said === 'boolean' ? said : !isDistribution(valuesOf(first));
  }

  classCount(outputs: Outputs): number {
    return valuesOf(outputs).length;
  }

  /** Best first, at most `maxDetections` (5), those of at least `scoreThreshold` (0). @throws as the constructor. */
  decode(outputs: Outputs, only?: ReadonlySet<string>): ClassScore[] {
    const values = valuesOf(outputs);
    const probabilities = this.softmax ? softmax(values) : values;
    if (!probabilities.every(Number.isFinite)) throw notFinite();
    const order = Array.from(probabilities.keys()).filter((index) => this.labels[index] !== '');
    order.sort((a, b) => probabilities[b]! - probabilities[a]! || a - b);
    return order
      .map((index) => ({ label: labelOf(this.labels, index), score: Math.round(probabilities[index]! * 10_000) / 10_000 }))
      .filter(({ label, score }) => score >= (this.settings.scoreThreshold ?? 0) && (only?.has(label) ?? true))
      .slice(0, this.settings.maxDetections ?? 5);
  }
}

function valuesOf(outputs: Outputs): Float32Array {
  const names = Object.keys(outputs);
  if (names.length !== 1) throw new EdgeError('EDGE_MODEL_OUTPUT_SHAPE', `expected one output, got ${names.length}`);
  const { data, shape } = floatOutput(outputs[names[0]!]!, names[0]!);
  if (data.length === 0 || shape.filter((size) => size > 1).length > 1) {
    throw new EdgeError('EDGE_MODEL_OUTPUT_SHAPE', `"${names[0]}" is [${shape.join(', ')}], expected [1, classes]`);
  }
  return data;
}

function isDistribution(values: Float32Array): boolean {
  const sum = values.reduce((all, value) => all + value, 0);
  return values.every((value) => value >= 0 && value <= 1) && Math.abs(sum - 1) < 0.02;
}

function softmax(values: Float32Array): Float32Array {
  const most = values.reduce((best, value) => Math.max(best, value), -Infinity);
  const weights = values.map((value) => Math.exp(value - most));
  const total = weights.reduce((all, weight) => all + weight, 0);
  return weights.map((weight) => weight / total);
}

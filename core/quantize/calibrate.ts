import type { Tensors } from '../inference/backend';
import { graphOf, writeModel } from '../model/onnx/graph';
import { create, DataType, ValueInfoProtoSchema } from '../model/onnx/protobuf';
import { prepareModel } from './prepare';
import { type Ranges, rangesWanted } from './quantize';

/** How often one run of the model is asked for, whoever runs it: a session, a worker, a test. */
export type Run = (feeds: Tensors) => Promise<Tensors>;

/**
 * A model that also gives the values whose ranges are wanted, as outputs. The names are those of the model that is quantized
 * later. @throws EDGE_MODEL_INVALID, EDGE_MODEL_EXTERNAL_DATA
 */
export function observable(bytes: Uint8Array): { model: Uint8Array; names: string[] } {
  const names = rangesWanted(bytes);
  const model = prepareModel(bytes);
  const graph = graphOf(model);
  const known = new Set([...graph.output, ...graph.input].map(({ name }) => name));
  for (const name of names.filter((wanted) => !known.has(wanted))) {
    const type = { value: { case: 'tensorType' as const, value: { elemType: DataType.FLOAT } } };
    graph.output.push(create(ValueInfoProtoSchema, { name, type }));
  }
  return { model: writeModel(model), names };
}

/**
 * Run an observable model over typical inputs and say which ranges its activations take.
 * @param whole names values of which nothing may be cut off, because the rare and strong ones are what counts: class scores
 */
export async function calibrate(
  run: Run,
  samples: AsyncIterable<Tensors> | Iterable<Tensors>,
  names: readonly string[],
  whole: (name: string) => boolean = () => false,
): Promise<Ranges> {
  const observed = new Map(names.map((name) => [name, new Histogram()]));
  for await (const feeds of samples) {
    const values = { ...feeds, ...(await run(feeds)) };
    for (const [name, histogram] of observed) {
      const value = values[name];
      if (value) histogram.add(value.data as Float32Array);
    }
  }
  return Object.fromEntries(
    [...observed].flatMap(([name, histogram]) =>
      histogram.empty ? [] : [[name, whole(name) ? histogram.extremes() : histogram.range()]],
    ),
  );
}

const BINS = 4096;

/** Counts of values in equal bins over a range that doubles when it must; bounded memory whatever comes. */
export class Histogram {
  private counts = new Float64Array(BINS);
  private least = 0;
  private width = 0;
  private min = Number.POSITIVE_INFINITY;
  private max = Number.NEGATIVE_INFINITY;

  get empty(): boolean {
    return this.min > this.max;
  }

  add(values: ArrayLike<number>): void {
    for (let at = 0; at < values.length; at += 1) {
      const value = values[at]!;
      if (value < this.min) this.min = value;
      if (value > this.max) this.max = value;
    }
    if (this.empty) return;
    this.cover();
    if (this.width === 0) return;
    for (let at = 0; at < values.length; at += 1) {
      const bin = Math.floor((values[at]! - this.least) / this.width);
      if (bin >= 0) this.counts[Math.min(bin, BINS - 1)]! += 1;
    }
  }

  /** The least and the greatest value, and zero. */
  extremes(): [min: number, max: number] {
    return [Math.min(this.min, 0), Math.max(this.max, 0)];
  }

  /**
   * Ends of the range, always around zero. What never goes below zero stands behind a Relu, where the strongest answers are
   * the ones that count: all of it is kept. Elsewhere the ends with the least mean squared error of rounding and clipping.
   */
  range(): [min: number, max: number] {
    if (this.min >= 0) return [0, this.max];
    const [low, high] = this.extremes();
    let best: [number, number] = [low, high];
    let least = this.error(low, high);
    for (let pass = 0; pass < 2; pass += 1) {
      for (const side of [0, 1]) {
        const end = best[side]!;
        for (let share = 1; share > 0.3; share -= 0.02) {
          const tried: [number, number] = side === 0 ? [end * share, best[1]] : [best[0], end * share];
          const error = this.error(...tried);
          if (error < least) [least, best] = [error, tried];
        }
      }
    }
    return best;
  }

  private error(low: number, high: number): number {
    const step = (high - low) / 255 || 1;
    let sum = 0;
    for (let bin = 0; bin < BINS; bin += 1) {
      const count = this.counts[bin]!;
      if (count === 0) continue;
      const value = this.least + (bin + 0.5) * this.width;
      const over = Math.max(low - value, value - high, 0);
      // An exact zero (behind a Relu) costs nothing; anything else on average a twelfth of a squared step.
      sum += count * (over > 0 ? over * over : (step * step) / 12);
    }
    return sum;
  }

  /** Grow until the range holds all that was seen; neighbouring bins merge. */
  private cover(): void {
    const [low, high] = this.extremes();
    if (this.width === 0) {
      if (high === low) return;
      this.least = low;
      this.width = (high - low) / BINS;
    }
    while (low < this.least || high > this.least + this.width * BINS) {
      const merged = new Float64Array(BINS);
      const downwards = low < this.least;
      const shift = downwards ? BINS / 2 : 0;
      for (let bin = 0; bin < BINS; bin += 1) merged[shift + (bin >> 1)]! += this.counts[bin]!;
      if (downwards) this.least -= this.width * BINS;
      this.width *= 2;
      this.counts = merged;
    }
  }
}

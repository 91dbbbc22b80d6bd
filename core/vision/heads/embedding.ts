import { EdgeError } from '../../errors';
import type { HeadSettings } from '../../model/manifest';
import { notFinite } from '../candidates';
import type { OtherHead, Outputs } from './head';
import { floatOutput } from './outputs';

/**
 * A vector that stands for what a picture shows: pictures of the same give vectors that point the same way. One output [1,
 * numbers], also with dimensions of 1 behind; it is scaled to length 1.
 *
 * Parameters: `output`, the output's name where the graph has several.
 */
export const embedding: OtherHead = {
  id: 'embedding',
  task: 'embedding',
  layout: '[1, numbers], also with dimensions of 1 behind',
  source: 'every embedding; scaled to L2 length 1 as for cosine similarity',
  input: null,

  // A classifier looks the same: never guessed.
  matches: () => false,

  classCount: () => null,
};

/** @throws EDGE_MODEL_OUTPUT_SHAPE, EDGE_MODEL_OUTPUT_NOT_FINITE */
export function embeddingOf(outputs: Outputs, { parameters }: HeadSettings): Float32Array {
  const names = Object.keys(outputs);
  const name = parameters?.output ?? (names.length === 1 ? names[0] : undefined);
  if (typeof name !== 'string' || !Object.hasOwn(outputs, name)) {
    throw new EdgeError('EDGE_MODEL_OUTPUT_SHAPE', `which of the outputs ${names.map((each) => `"${each}"`).join(', ')} it is`, {
      mend: 'Name it as output.parameters.output in the manifest',
    });
  }
  const { data, shape } = floatOutput(outputs[name]!, name);
  if (data.length === 0 || shape.filter((size) => size > 1).length > 1) {
    throw new EdgeError('EDGE_MODEL_OUTPUT_SHAPE', `"${name}" is [${shape.join(', ')}], expected [1, numbers]`);
  }
  let sum = 0;
  for (const value of data) sum += value * value;
  if (!Number.isFinite(sum)) throw notFinite();
  // A vector of zeros points nowhere and is like nothing: it stays one.
  const length = Math.sqrt(sum) || 1;
  return data.map((value) => value / length);
}

/** Cosine similarity of two vectors of any length, -1 to 1; 0 where one of them is of zeros or they are not of one space. */
export function cosineSimilarity(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return 0;
  let product = 0;
  let lengthA = 0;
  let lengthB = 0;
  for (let index = 0; index < a.length; index++) {
    product += a[index]! * b[index]!;
    lengthA += a[index]! ** 2;
    lengthB += b[index]! ** 2;
  }
  const lengths = Math.sqrt(lengthA * lengthB);
  return lengths > 0 ? Math.max(-1, Math.min(1, product / lengths)) : 0;
}

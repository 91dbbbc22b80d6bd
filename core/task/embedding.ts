import type { Placement } from '../media/letterbox';
import type { EmbeddingResult } from '../message/results';
import { embeddingOf } from '../vision/heads/embedding';
import type { Outputs } from '../vision/heads/head';
import { type Decoder, type DecoderSettings, round, sourceSize } from './decoder';

/** Six digits: a hundredth of what half precision holds. */
const STEPS = 1_000_000;

export class EmbeddingDecoder implements Decoder {
  constructor(private readonly settings: DecoderSettings) {}

  settle(): string[] {
    return [];
  }

  decode(outputs: Outputs, placement: Placement): EmbeddingResult {
    const { model, settings } = this.settings;
    const vector = Array.from(embeddingOf(outputs, settings), (value) => round(value, STEPS));
    return { schema: 'edgeloom/embedding/1', model, image: sourceSize(placement), vector };
  }
}

import { EdgeError } from '../errors';
import type { Placement } from '../media/letterbox';
import type { ClassArea, SegmentationResult } from '../message/results';
import type { HeadSettings, ImageInput } from '../model/manifest';
import type { ClassMapOptions } from '../model/onnx/fold-class-map';
import { type ClassGrid, maskOf, type Region, sharesOf } from '../vision/class-mask';
import { classGridOf } from '../vision/heads/class-map';
import { labelOf } from '../vision/heads/detections';
import type { Outputs } from '../vision/heads/head';
import { type Decoder, type DecoderSettings, labelWarnings, round, sourceSize } from './decoder';

/** Longest side of a mask in cells, and the most that a manifest may ask for. */
const USUAL_MASK = 256;
const LARGEST_MASK = 1024;
/** Of a model of one class. */
const USUAL_THRESHOLD = 0.5;

/** A semantic segmentation: which class every part of the picture shows. */
export class SegmentationDecoder implements Decoder {
  readonly classMap: ClassMapOptions;
  private readonly maskSize: number;
  /** By number in the mask: a model of one class gives 0 for what is not of it. */
  private labels: readonly string[];

  constructor(
    private readonly input: ImageInput,
    private readonly settings: DecoderSettings,
  ) {
    if (input.fit === 'cover') {
      throw new EdgeError('EDGE_MODEL_MANIFEST', 'input.fit: a segmentation needs the whole picture, letterbox or stretch');
    }
    this.classMap = classMapOf(input, settings.settings);
    this.maskSize = maskSizeOf(settings.settings);
    this.labels = settings.labels.length === 1 ? ['', ...settings.labels] : settings.labels;
  }

  settle(outputs: Outputs): string[] {
    classGridOf(outputs);
    // The folded graph no longer tells how many classes there were.
    return labelWarnings(this.settings, null);
  }

  decode(outputs: Outputs, placement: Placement): SegmentationResult {
    const { model, only } = this.settings;
    const grid = classGridOf(outputs);
    const region = this.regionOf(grid, placement);
    const classes: ClassArea[] = [];
    for (const [index, share] of sharesOf(grid, region).entries()) {
      if (share === 0 || this.labels[index] === '') continue;
      const label = labelOf(this.labels, index);
      if (only?.has(label) ?? true) classes.push({ class: index, label, share: round(share, 10_000) });
    }
    classes.sort((a, b) => b.share - a.share || a.class - b.class);
    const image = sourceSize(placement);
    const mask = this.maskSize > 0 ? maskOf(grid, region, scaledDown(image, this.maskSize)) : undefined;
    return { schema: 'edgeloom/segmentation/1', model, image, classes, ...(mask ? { mask } : {}) };
  }

  private regionOf(grid: ClassGrid, at: Placement): Region {
    const across = grid.width / this.input.width;
    const down = grid.height / this.input.height;
    return {
      left: at.offsetX * across,
      top: at.offsetY * down,
      width: at.sourceWidth * at.scaleX * across,
      height: at.sourceHeight * at.scaleY * down,
    };
  }
}

function classMapOf({ width, height }: ImageInput, { scoreThreshold, parameters }: HeadSettings): ClassMapOptions {
  const probability = scoreThreshold ?? USUAL_THRESHOLD;
  const { output, layout } = parameters ?? {};
  if (output !== undefined && typeof output !== 'string') {
    throw new EdgeError('EDGE_MODEL_MANIFEST', 'output.parameters.output: expected the name of an output');
  }
  if (layout !== undefined && layout !== 'NCHW' && layout !== 'NHWC') {
    throw new EdgeError('EDGE_MODEL_MANIFEST', 'output.parameters.layout: expected NCHW or NHWC');
  }
  const threshold = parameters?.logits === true ? Math.log(probability / (1 - probability)) : probability;
  return { width, height, threshold, ...(output ? { output } : {}), ...(layout ? { layout } : {}) };
}

function maskSizeOf({ parameters }: HeadSettings): number {
  const said = parameters?.maskSize;
  if (said === undefined) return USUAL_MASK;
  if (typeof said === 'number' && Number.isInteger(said) && said >= 0 && said <= LARGEST_MASK) return said;
  throw new EdgeError('EDGE_MODEL_MANIFEST', `output.parameters.maskSize: expected a whole number from 0 to ${LARGEST_MASK}`);
}

/** Of the picture's own proportions, and no larger than it. */
function scaledDown({ width, height }: { width: number; height: number }, longest: number): { width: number; height: number } {
  const scale = Math.min(1, longest / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

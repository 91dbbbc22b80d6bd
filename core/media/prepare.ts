import type { Sharp } from 'sharp';
import { EdgeError } from '../errors';
import { type Frame, makeFrame, RAW_CHANNELS } from '../message/frame';
import { makeTensor, type Tensor } from '../message/tensor';
import { fitToInput, openFrame, orientedSize, rgbPixels, swapRedAndBlue } from './fit';
import type { Fit, Placement } from './letterbox';
import { checkSize, openPicture, pictureError } from './sharp';
import { inSlices } from './slices';

export type Colours = 'rgb' | 'bgr' | 'grey';

/** A part of the picture after orientation: in pixels, or as shares of its width and height from 0 to 1. */
export interface Crop {
  unit: 'pixels' | 'relative';
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Resize {
  /** Pixels; without one of the two, the aspect ratio gives it. */
  width?: number;
  height?: number;
  /** How both are met; `inside` shrinks to at most these and adds nothing. */
  fit: Fit | 'inside';
  anchor?: 'centre' | 'start';
  /** Grey level of a letterbox's bars, 0 to 255. */
  padding?: number;
}

/** How pixels become a model's numbers: value = (pixel - mean) * scale, per channel in `colours` order, pixel 0 to 255. */
export interface TensorTarget {
  width: number;
  height: number;
  layout: 'NCHW' | 'NHWC';
  colours: Colours;
  mean: readonly number[];
  scale: readonly number[];
  fit: Fit;
  anchor?: 'centre' | 'start';
  padding?: number;
  type: 'float32' | 'uint8';
}

export interface Edit {
  crop?: Crop;
  resize?: Resize;
}

/** The edited picture as raw pixels. */
export async function prepareFrame(frame: Frame, edit: Edit & { colours?: Colours }): Promise<Frame> {
  const { pixels, width, height } = await editedPixels(frame, edit);
  const colours = edit.colours ?? 'rgb';
  if (colours === 'grey') return makeFrame(await greyOf(pixels, width, height), 'mono8', width, height);
  if (colours === 'bgr') await swapRedAndBlue(pixels);
  return makeFrame(pixels, colours === 'bgr' ? 'bgr8' : 'rgb8', width, height);
}

/** The edited picture as a JPEG, turned upright. */
export async function prepareJpeg(frame: Frame, edit: Edit & { colours?: Colours; quality?: number }): Promise<Buffer> {
  const grey = edit.colours === 'grey';
  try {
    const pipeline = await editedPipeline(frame, edit);
    if (pipeline && RAW_CHANNELS[frame.encoding] === undefined) {
      const flat = pipeline.sharp.flatten({ background: '#fff' });
      return await (grey ? flat.toColourspace('b-w') : flat).jpeg({ quality: edit.quality ?? 85 }).toBuffer();
    }
    const { pixels, width, height } = await editedPixels(frame, edit);
    const raw = openPicture(pixels, { raw: { width, height, channels: 3 } });
    return await (grey ? raw.toColourspace('b-w') : raw).jpeg({ quality: edit.quality ?? 85 }).toBuffer();
  } catch (thrown) {
    throw pictureError(thrown);
  }
}

/**
 * The picture as a model's input tensor [1, 3 or 1, height, width] or [1, height, width, 3 or 1], with where it lies in it.
 * @throws EDGE_SETTING when mean and scale do not have one value or one per channel
 */
export async function prepareTensor(
  frame: Frame,
  target: TensorTarget,
  crop?: Crop,
): Promise<{ tensor: Tensor; placement: Placement }> {
  const channels = target.colours === 'grey' ? 1 : 3;
  const source = crop ? await prepareFrame(frame, { crop }) : frame;
  const { pixels, placement } = await fitToInput(source, target);
  const samples = channels === 1 ? await greyOf(pixels, target.width, target.height) : pixels;
  const shape =
    target.layout === 'NCHW' ? [1, channels, target.height, target.width] : [1, target.height, target.width, channels];
  const data = await arrange(samples, target, channels);
  return { tensor: makeTensor({ type: target.type, shape, data }), placement };
}

/** Interleaved RGB or grey samples in the target's order, scale and type; gives way to the event loop between slices. */
async function arrange(
  samples: Uint8Array,
  target: TensorTarget,
  channels: number,
): Promise<Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>> {
  const { type, layout, colours } = target;
  const pixels = samples.length / channels;
  const planar = layout === 'NCHW';
  const data = type === 'uint8' ? new Uint8Array(samples.length) : new Float32Array(samples.length);
  for (let channel = 0; channel < channels; channel++) {
    const from = colours === 'bgr' ? channels - 1 - channel : channel;
    const to = planar ? channel * pixels : channel;
    const step = planar ? 1 : channels;
    const values =
      type === 'uint8'
        ? null
        : table(valueFor(target.mean, channel, 'mean', channels), valueFor(target.scale, channel, 'scale', channels));
    await inSlices(pixels, (start, end) => {
      if (values) spread(data as Float32Array, samples, values, start, end, from, channels, to, step);
      else for (let pixel = start; pixel < end; pixel++) data[to + pixel * step] = samples[pixel * channels + from]!;
    });
  }
  return data;
}

function spread(
  data: Float32Array,
  samples: Uint8Array,
  values: Float32Array,
  start: number,
  end: number,
  from: number,
  stride: number,
  to: number,
  step: number,
): void {
  for (let pixel = start, read = start * stride + from, write = to + start * step; pixel < end; pixel++) {
    data[write] = values[samples[read]!]!;
    read += stride;
    write += step;
  }
}

/** All 256 results of one channel: looking up is faster than computing, and rounds each exactly once. */
function table(mean: number, scale: number): Float32Array {
  return Float32Array.from({ length: 256 }, (_, pixel) => (pixel - mean) * scale);
}

function valueFor(values: readonly number[], channel: number, name: string, channels: number): number {
  if (values.length !== 1 && values.length !== channels) {
    throw new EdgeError('EDGE_SETTING', `${name}: expected 1 or ${channels} numbers, got ${values.length}`);
  }
  return values[values.length === 1 ? 0 : channel]!;
}

/** ITU-R BT.601 luma, as JPEG has it. */
async function greyOf(pixels: Uint8Array, width: number, height: number): Promise<Uint8Array> {
  return openPicture(pixels, { raw: { width, height, channels: 3 } })
    .greyscale()
    .toColourspace('b-w')
    .raw()
    .toBuffer();
}

interface EditedPipeline {
  sharp: Sharp;
  width: number;
  height: number;
}

async function editedPixels(frame: Frame, edit: Edit): Promise<{ pixels: Uint8Array; width: number; height: number }> {
  const { crop, resize } = edit;
  const { width = 0, height = 0 } = resize ?? {};
  if (resize && resize.fit !== 'inside' && width && height) {
    const source = crop ? await prepareFrame(frame, { crop }) : frame;
    const { fit, anchor, padding } = resize;
    const target = { width, height, fit, ...(anchor ? { anchor } : {}), ...(padding === undefined ? {} : { padding }) };
    return { pixels: (await fitToInput(source, target)).pixels, width, height };
  }
  const pipeline = (await editedPipeline(frame, edit))!;
  const pixels = await rgbPixels(pipeline.sharp, pipeline.width * pipeline.height * 3);
  if (frame.encoding === 'bgr8') await swapRedAndBlue(pixels);
  return { pixels, width: pipeline.width, height: pipeline.height };
}

/** One pipeline for crop and plain resize; null where a letterbox needs its bars laid. */
async function editedPipeline(frame: Frame, { crop, resize }: Edit): Promise<EditedPipeline | null> {
  const size = await orientedSize(frame);
  let pipeline = openFrame(frame);
  let { width, height } = size;
  if (crop) {
    const area = areaOf(crop, size);
    pipeline = pipeline.extract(area);
    ({ width, height } = area);
  }
  if (!resize || (!resize.width && !resize.height)) return { sharp: pipeline, width, height };
  const target = sizeOf(resize, width, height);
  if (!target) return null;
  checkSize(target.width, target.height);
  return { sharp: pipeline.resize(target.width, target.height, { fit: 'fill' }), ...target };
}

function sizeOf({ width, height, fit }: Resize, fromWidth: number, fromHeight: number): { width: number; height: number } | null {
  if (width && height && fit === 'stretch') return { width, height };
  if (width && height && fit !== 'inside') return null;
  const box = { width: width ?? Number.POSITIVE_INFINITY, height: height ?? Number.POSITIVE_INFINITY };
  const scale = Math.min(box.width / fromWidth, box.height / fromHeight, fit === 'inside' ? 1 : Number.POSITIVE_INFINITY);
  return { width: Math.max(1, Math.round(fromWidth * scale)), height: Math.max(1, Math.round(fromHeight * scale)) };
}

/** Whole pixels inside the picture. @throws EDGE_SETTING when nothing of the crop lies in it */
function areaOf(crop: Crop, size: { width: number; height: number }) {
  const [across, down] = crop.unit === 'relative' ? [size.width, size.height] : [1, 1];
  const left = Math.min(Math.max(Math.round(crop.x * across), 0), size.width);
  const top = Math.min(Math.max(Math.round(crop.y * down), 0), size.height);
  const right = Math.min(Math.round((crop.x + crop.width) * across), size.width);
  const bottom = Math.min(Math.round((crop.y + crop.height) * down), size.height);
  if (right <= left || bottom <= top) {
    throw new EdgeError('EDGE_SETTING', `crop: nothing of it lies in a picture of ${size.width}x${size.height}`);
  }
  return { left, top, width: right - left, height: bottom - top };
}

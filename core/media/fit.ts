import type { Sharp } from 'sharp';
import { EdgeError } from '../errors';
import { type Frame, frameBytes, RAW_CHANNELS } from '../message/frame';
import { readImageHeader, turnsSides } from './image-header';
import { type Fit, type Placement, place } from './letterbox';
import { checkSize, openPicture, pictureError } from './sharp';
import { inSlices, SLICE } from './slices';

/** The grey of a letterbox's bars where the model does not ask for another (Ultralytics, YOLOX). */
const PADDING = 114;

/** Bytes that are copied in the time in which one element is computed. */
const COPIED = 8;

export interface FitTarget {
  width: number;
  height: number;
  fit: Fit;
  anchor?: 'centre' | 'start';
  /** Grey level of the bars, 0 to 255. */
  padding?: number;
}

export interface Fitted {
  /** RGB, 8 bits, rows from the top, no gaps: `height * width * 3` bytes that nobody else holds. */
  pixels: Uint8Array;
  /** Where the picture lies in it, relative to the picture after EXIF orientation. */
  placement: Placement;
}

/**
 * A picture of any kind as a model's input, in one decode off the event loop: oriented, resized, padded or cropped; alpha is laid
 * on white, grey becomes RGB, 16 bits become 8, CMYK is converted.
 *
 * A JPEG is shrunk while it is loaded, by the lesser of both sides' factors: `stretch` to another aspect ratio costs more.
 *
 * @throws EDGE_IMAGE_TRUNCATED, EDGE_IMAGE_TOO_LARGE, EDGE_IMAGE_FORMAT, EDGE_FRAME_GONE
 */
export async function fitToInput(frame: Frame, target: FitTarget): Promise<Fitted> {
  checkSize(target.width, target.height);
  const bytes = frameBytes(frame);
  const source = await orientedSize(frame);
  const placement = place(source, target, target.fit, target.anchor);
  if (frame.encoding === 'rgb8' && source.width === target.width && source.height === target.height) {
    return { pixels: Uint8Array.prototype.slice.call(bytes), placement };
  }
  const width = Math.max(1, Math.round(source.width * placement.scaleX));
  const height = Math.max(1, Math.round(source.height * placement.scaleY));
  // `cover` of a very long picture.
  checkSize(width, height);
  // Exact sizes rather than `fit: 'contain'`, so that the picture lies where the placement says to the pixel.
  let pipeline = openFrame(frame).resize(width, height, { fit: 'fill' });
  const inside = { width, height };
  if (target.fit === 'cover') {
    inside.width = target.width;
    inside.height = target.height;
    pipeline = pipeline.extract({ left: -placement.offsetX, top: -placement.offsetY, ...inside });
  }
  const pixels = await rgbPixels(pipeline, inside.width * inside.height * 3);
  if (frame.encoding === 'bgr8') await swapRedAndBlue(pixels);
  if (inside.width === target.width && inside.height === target.height) return { pixels, placement };
  return { pixels: await layOnPadding(pixels, inside, target, placement), placement };
}

/** The size in pixels after EXIF orientation, from the header alone. */
export async function orientedSize(frame: Frame): Promise<{ width: number; height: number }> {
  if (RAW_CHANNELS[frame.encoding] !== undefined) return { width: frame.width, height: frame.height };
  const header = readImageHeader(frameBytes(frame));
  if (header && header.width > 0 && header.height > 0 && header.orientation > 0) {
    return turnsSides(header.orientation)
      ? { width: header.height, height: header.width }
      : { width: header.width, height: header.height };
  }
  try {
    const { autoOrient } = await openPicture(frameBytes(frame)).metadata();
    return autoOrient;
  } catch (thrown) {
    throw pictureError(thrown);
  }
}

/** A pipeline over a frame's pixels, compressed or raw, turned as EXIF says. The channel order of raw frames stays as it is. */
export function openFrame(frame: Frame): Sharp {
  const channels = RAW_CHANNELS[frame.encoding];
  if (channels === undefined) return openPicture(frameBytes(frame)).autoOrient();
  const { width, height } = frame;
  return openPicture(frameBytes(frame), { raw: { width, height, channels: channels as 1 | 3 | 4 } });
}

/** Run a pipeline to interleaved 8-bit RGB of exactly `length` bytes. */
export async function rgbPixels(pipeline: Sharp, length: number): Promise<Uint8Array> {
  try {
    const pixels = await pipeline.flatten({ background: '#fff' }).toColourspace('srgb').raw({ depth: 'uchar' }).toBuffer();
    if (pixels.length === length) return pixels;
    if (pixels.length * 3 === length) return await greyToRgb(pixels);
    throw new EdgeError('EDGE_IMAGE_FORMAT', `${pixels.length} bytes of pixels instead of ${length}`);
  } catch (thrown) {
    throw pictureError(thrown);
  }
}

export async function swapRedAndBlue(pixels: Uint8Array): Promise<void> {
  await inSlices(Math.floor(pixels.length / 3), (start, end) => {
    for (let at = start * 3; at < end * 3; at += 3) {
      const first = pixels[at]!;
      pixels[at] = pixels[at + 2]!;
      pixels[at + 2] = first;
    }
  });
}

async function greyToRgb(grey: Uint8Array): Promise<Uint8Array> {
  const rgb = new Uint8Array(grey.length * 3);
  await inSlices(grey.length, (start, end) => {
    for (let from = start, to = start * 3; from < end; from++, to += 3) {
      const value = grey[from]!;
      rgb[to] = value;
      rgb[to + 1] = value;
      rgb[to + 2] = value;
    }
  });
  return rgb;
}

/** The bars of a letterbox. Copying rows here is a fifth of a millisecond; `extend` costs the decoder 1.5 ms of CPU. */
async function layOnPadding(
  pixels: Uint8Array,
  size: { width: number; height: number },
  target: FitTarget,
  at: Placement,
): Promise<Uint8Array> {
  const { height, padding = PADDING } = target;
  const stride = target.width * 3;
  const row = size.width * 3;
  const left = at.offsetX * 3;
  const whole = new Uint8Array(height * stride);
  const lay = (from: number, to: number) => {
    whole.fill(padding, from * stride, to * stride);
    for (let y = Math.max(from, at.offsetY); y < Math.min(to, at.offsetY + size.height); y++) {
      const inner = y - at.offsetY;
      whole.set(pixels.subarray(inner * row, (inner + 1) * row), y * stride + left);
    }
  };
  await inSlices(height, lay, Math.max(1, Math.floor((COPIED * SLICE) / stride)));
  return whole;
}

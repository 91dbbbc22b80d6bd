import type { Sharp, SharpOptions } from 'sharp';
import { EdgeError } from '../errors';

type SharpModule = typeof import('sharp');

/** Most pixels of one picture: a 48-megapixel phone still passes, a decompression bomb does not. */
export const MAX_PIXELS = 50_000_000;
/** Most bytes of one compressed picture, and of a picture file. */
export const MAX_PICTURE_BYTES = 64 * 2 ** 20;

const OPEN_OPTIONS: SharpOptions = { limitInputPixels: MAX_PIXELS, failOn: 'truncated', pages: 1 };

let loaded: SharpModule | undefined;

/**
 * The image library, loaded at the first picture, so that a palette without its native part still loads and says what is missing.
 * @throws EDGE_SHARP_MISSING with the command that installs it.
 */
export function loadSharp(): SharpModule {
  if (loaded) return loaded;
  try {
    const sharp = require('sharp') as SharpModule;
    // One thread per picture and no cache: never worse for a stream of different pictures, and the flow keeps the other cores.
    sharp.concurrency(1);
    sharp.cache(false);
    loaded = sharp;
    return sharp;
  } catch (cause) {
    throw new EdgeError('EDGE_SHARP_MISSING', `${process.platform}-${process.arch}`, {
      cause,
      mend: 'Run "npm install --include=optional sharp" in the Node-RED user directory and restart Node-RED',
    });
  }
}

/** A pipeline over one picture, within the limits; an animation gives its first picture. Runs on libuv's pool. */
export function openPicture(bytes: Uint8Array, options: SharpOptions = {}): Sharp {
  return loadSharp()(bytes, { ...OPEN_OPTIONS, ...options });
}

/** @throws EDGE_IMAGE_TOO_LARGE for a picture to be made that is larger than one that may come in. */
export function checkSize(width: number, height: number): void {
  if (width * height <= MAX_PIXELS) return;
  throw new EdgeError('EDGE_IMAGE_TOO_LARGE', `${width}x${height} is asked for, at most ${MAX_PIXELS / 1e6} megapixels`);
}

/** What sharp threw, as an error with a code. */
export function pictureError(thrown: unknown): EdgeError {
  if (thrown instanceof EdgeError) return thrown;
  // libvips repeats itself on several lines; the first one says it.
  const text = (thrown instanceof Error ? thrown.message : String(thrown)).split('\n')[0]!.slice(0, 200);
  if (/exceeds (pixel|channel) limit|too large|exceeds .*limit/i.test(text)) {
    return new EdgeError('EDGE_IMAGE_TOO_LARGE', `at most ${MAX_PIXELS / 1e6} megapixels`, { cause: thrown });
  }
  // The first bytes were looked at before: what is then not known to the decoder is damaged, or packed in a way it was built without.
  if (/unsupported (codec|compression)|unsupported feature/i.test(text)) {
    return new EdgeError('EDGE_IMAGE_FORMAT', text, { cause: thrown });
  }
  return new EdgeError('EDGE_IMAGE_TRUNCATED', text, { cause: thrown });
}

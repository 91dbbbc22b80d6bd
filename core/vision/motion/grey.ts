import { openFrame, orientedSize } from '../../media/fit';
import { pictureError } from '../../media/sharp';
import { type Frame, frameBytes, RAW_CHANNELS } from '../../message/frame';

/** A picture as grey values, rows from the top, no gaps. */
export interface GreyPicture {
  pixels: Uint8Array;
  width: number;
  height: number;
}

/** Shares of red, green and blue in the luma of ITU-R BT.709, of 256. */
const LUMA = [54, 183, 19] as const;

/**
 * The small grey picture that motion is looked for in. A compressed one is decoded off the event loop, a JPEG at an eighth, a quarter
 * or half of its size where that is enough. Of raw pixels, four are read for each that is wanted, which takes a fraction of a
 * millisecond whatever their number, and a fifth of the CPU time of a proper resampling; what that would smooth is noise that the
 * background model knows, and patterns that stand still.
 *
 * @param width in pixels; the height follows from the picture.
 * @throws EDGE_IMAGE_*, EDGE_FRAME_GONE
 */
export async function toGrey(frame: Frame, width: number): Promise<GreyPicture> {
  const source = await orientedSize(frame);
  const height = Math.max(1, Math.round((source.height * width) / source.width));
  if (RAW_CHANNELS[frame.encoding] !== undefined) return sampleRaw(frame, width, height);
  try {
    const pixels = await openFrame(frame)
      .resize(width, height, { fit: 'fill', kernel: 'linear' })
      .toColourspace('b-w')
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer();
    return { pixels, width, height };
  } catch (thrown) {
    throw pictureError(thrown);
  }
}

/** The mean of four pixels of each cell, at a quarter and three quarters of its width and height. */
function sampleRaw(frame: Frame, width: number, height: number): GreyPicture {
  const bytes = frameBytes(frame);
  const channels = RAW_CHANNELS[frame.encoding]!;
  if (channels === 1 && frame.width === width && frame.height === height) return { pixels: bytes, width, height };
  const [first, second, third] = frame.encoding === 'bgr8' ? [LUMA[2], LUMA[1], LUMA[0]] : LUMA;
  const columns = quarters(width, frame.width, channels);
  const rows = quarters(height, frame.height, frame.width * channels);
  const pixels = new Uint8Array(width * height);
  for (let y = 0, to = 0; y < height; y++) {
    const upper = rows[2 * y]!;
    const lower = rows[2 * y + 1]!;
    for (let x = 0; x < width; x++, to++) {
      const left = columns[2 * x]!;
      const right = columns[2 * x + 1]!;
      const [a, b, c, d] = [upper + left, upper + right, lower + left, lower + right] as const;
      if (channels === 1) {
        pixels[to] = (bytes[a]! + bytes[b]! + bytes[c]! + bytes[d]! + 2) >> 2;
        continue;
      }
      const one = bytes[a]! + bytes[b]! + bytes[c]! + bytes[d]!;
      const two = bytes[a + 1]! + bytes[b + 1]! + bytes[c + 1]! + bytes[d + 1]!;
      const three = bytes[a + 2]! + bytes[b + 2]! + bytes[c + 2]! + bytes[d + 2]!;
      pixels[to] = (one * first + two * second + three * third + 512) >> 10;
    }
  }
  return { pixels, width, height };
}

/** For each of `count` cells over `length` pixels, where its first and third quarter begin, in bytes. */
function quarters(count: number, length: number, step: number): Uint32Array {
  return Uint32Array.from(
    { length: 2 * count },
    (_, at) => Math.min(length - 1, Math.floor(((at + 0.5) / 2 / count) * length)) * step,
  );
}

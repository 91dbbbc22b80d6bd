import { openFrame, orientedSize } from '../../media/fit';
import { pictureError } from '../../media/sharp';
import { type Frame, frameBytes } from '../../message/frame';

/** A picture as grey values, rows from the top, no gaps. */
export interface GreyPicture {
  pixels: Uint8Array;
  width: number;
  height: number;
}

/**
 * The small grey picture that motion is looked for in. A JPEG is decoded at an eighth, a quarter or half of its size where that
 * is enough; raw pixels are only shrunk. Runs on libuv's pool.
 *
 * @param width in pixels; the height follows from the picture.
 * @throws EDGE_IMAGE_*, EDGE_FRAME_GONE
 */
export async function toGrey(frame: Frame, width: number): Promise<GreyPicture> {
  const bytes = frameBytes(frame);
  const source = await orientedSize(frame);
  const height = Math.max(1, Math.round((source.height * width) / source.width));
  if (frame.encoding === 'mono8' && source.width === width) return { pixels: bytes, width, height };
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

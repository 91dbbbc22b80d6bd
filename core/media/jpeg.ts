import type { Frame } from '../message/frame';
import { frameBytes } from '../message/frame';
import { openFrame, orientedSize, rgbPixels, swapRedAndBlue } from './fit';
import { openPicture, pictureError } from './sharp';

export interface JpegOptions {
  /** Shrink to this width, keeping the aspect ratio; never enlarges. */
  width?: number;
  /** 1 to 100, 80 by default. */
  quality?: number;
}

/**
 * A frame as a JPEG. One that is a JPEG already and need not shrink is given as it is, at no cost: its bytes are shared, never
 * write to them, and an EXIF orientation stays inside (every viewer honours it).
 *
 * @throws EDGE_IMAGE_TRUNCATED, EDGE_IMAGE_TOO_LARGE, EDGE_FRAME_GONE
 */
export async function toJpeg(frame: Frame, options: JpegOptions = {}): Promise<Buffer> {
  const { width, quality = 80 } = options;
  const size = frame.encoding === 'jpeg' && width === undefined ? null : await orientedSize(frame);
  const shrinks = size !== null && width !== undefined && size.width > width;
  if (frame.encoding === 'jpeg' && !shrinks) {
    const bytes = frameBytes(frame);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  try {
    let pipeline = openFrame(frame);
    if (shrinks) pipeline = pipeline.resize(width);
    if (frame.encoding === 'bgr8') {
      const outWidth = shrinks ? width : size!.width;
      const outHeight = shrinks ? Math.max(1, Math.round((size.height * width) / size.width)) : size!.height;
      const pixels = await rgbPixels(pipeline.resize(outWidth, outHeight, { fit: 'fill' }), outWidth * outHeight * 3);
      await swapRedAndBlue(pixels);
      pipeline = openPicture(pixels, { raw: { width: outWidth, height: outHeight, channels: 3 } });
    }
    return await pipeline.flatten({ background: '#fff' }).jpeg({ quality }).toBuffer();
  } catch (thrown) {
    throw pictureError(thrown);
  }
}

import { EdgeError } from '../errors';
import { type Frame, makeFrame } from '../message/frame';
import { beforeRotation, type View } from './ffmpeg';
import { openFrame, orientedSize, rgbPixels } from './fit';
import { openPicture, pictureError } from './sharp';

/** True when a view takes a part or turns: only then must a compressed picture be decoded for it. */
export function changesPicture({ region, rotation }: View): boolean {
  return region !== undefined || rotation !== 0;
}

/**
 * What a view shows of a picture that is here already, as raw RGB; what FFmpeg does to streams while it decodes them.
 * @throws EDGE_IMAGE_TRUNCATED, EDGE_IMAGE_TOO_LARGE, EDGE_SETTING when nothing of the region lies in the picture
 */
export async function viewFrame(frame: Frame, view: View): Promise<Frame> {
  const { width: across, height: down } = await orientedSize(frame);
  const { x, y, width, height } = beforeRotation(view.region ?? { x: 0, y: 0, width: 1, height: 1 }, view.rotation);
  const left = Math.round(x * across);
  const top = Math.round(y * down);
  const area = {
    left,
    top,
    width: Math.min(Math.max(1, Math.round(width * across)), across - left),
    height: Math.min(Math.max(1, Math.round(height * down)), down - top),
  };
  if (area.width <= 0 || area.height <= 0) throw new EdgeError('EDGE_SETTING', `region: nothing of it lies in ${across}x${down}`);
  const turned = view.rotation === 90 || view.rotation === 270;
  const wide = turned ? area.height : area.width;
  const scale = view.largestWidth > 0 ? Math.min(1, view.largestWidth / wide) : 1;
  const size = { width: Math.max(1, Math.round(area.width * scale)), height: Math.max(1, Math.round(area.height * scale)) };
  const upright = openFrame(frame).extract(area).resize(size.width, size.height, { fit: 'fill' });
  const pixels = await rgbPixels(upright, size.width * size.height * 3);
  if (view.rotation === 0) return makeFrame(pixels, 'rgb8', size.width, size.height);
  try {
    const turn = openPicture(pixels, { raw: { ...size, channels: 3 } }).rotate(view.rotation);
    const bytes = await turn.raw().toBuffer();
    return turned ? makeFrame(bytes, 'rgb8', size.height, size.width) : makeFrame(bytes, 'rgb8', size.width, size.height);
  } catch (thrown) {
    throw pictureError(thrown);
  }
}

import { EdgeError } from '../errors';
import { bytesOf, Reference } from './reference';

/** How a frame's bytes are to be read: a compressed picture, or rows of interleaved 8-bit samples without padding. */
export type FrameEncoding = 'jpeg' | 'png' | 'webp' | 'gif' | 'tiff' | 'avif' | 'mono8' | 'rgb8' | 'bgr8' | 'rgba8';

export const RAW_CHANNELS: Readonly<Partial<Record<FrameEncoding, number>>> = { mono8: 1, rgb8: 3, bgr8: 3, rgba8: 4 };

/**
 * One picture on a wire. `width` and `height` are pixels as stored (before EXIF orientation); the bytes are behind `ref`.
 * Compressed pictures may have width and height 0 where nobody has looked yet.
 */
export interface Frame {
  kind: 'frame';
  width: number;
  height: number;
  channels: number;
  encoding: FrameEncoding;
  ref: Reference<Uint8Array>;
}

/** Wrap `bytes`; the caller gives them up. @throws EDGE_INPUT_EMPTY, EDGE_MEMORY_LIMIT, or EDGE_INPUT_TYPE when raw bytes do not fit the size. */
export function makeFrame(bytes: Uint8Array, encoding: FrameEncoding, width = 0, height = 0): Frame {
  if (bytes.byteLength === 0) throw new EdgeError('EDGE_INPUT_EMPTY', 'a picture of 0 bytes');
  const raw = RAW_CHANNELS[encoding];
  if (raw !== undefined && bytes.byteLength !== width * height * raw) {
    throw new EdgeError(
      'EDGE_INPUT_TYPE',
      `${bytes.byteLength} bytes for ${width}x${height} ${encoding}, expected ${width * height * raw}`,
    );
  }
  return { kind: 'frame', width, height, channels: raw ?? 3, encoding, ref: new Reference(bytes) };
}

export function isFrame(value: unknown): value is Frame {
  return typeof value === 'object' && value !== null && (value as Frame).kind === 'frame' && 'encoding' in value;
}

/** The frame's bytes. @throws EDGE_FRAME_GONE when they were lost on the way. */
export function frameBytes(frame: Frame): Uint8Array {
  const bytes = bytesOf(frame);
  return bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { EdgeError } from '../errors';
import { type Frame, type FrameEncoding, frameBytes, isFrame, makeFrame } from '../message/frame';
import { readImageHeader } from './image-header';
import { MAX_PICTURE_BYTES, MAX_PIXELS } from './sharp';

/**
 * Whatever the ecosystem calls a picture, as a frame: a frame, the bytes of a JPEG, PNG, WebP, GIF, TIFF or AVIF (Buffer, typed
 * array, ArrayBuffer, a Buffer's JSON), base64 text, a data URL, the name of a file, or raw pixels `{width, height, data}` with 1,
 * 3 or 4 bytes a pixel. Nothing is decoded: a compressed picture stays compressed until somebody needs its pixels.
 *
 * @throws EDGE_INPUT_TYPE, EDGE_INPUT_EMPTY, EDGE_IMAGE_FORMAT, EDGE_IMAGE_TOO_LARGE, EDGE_FILE_NOT_FOUND, EDGE_FRAME_GONE
 */
export async function toFrame(payload: unknown): Promise<Frame> {
  if (isFrame(payload)) {
    frameBytes(payload);
    return payload;
  }
  if (payload === undefined || payload === null || payload === '') throw new EdgeError('EDGE_INPUT_EMPTY', 'no picture');
  if (typeof payload === 'string') return fromText(payload);
  const bytes = asBytes(payload);
  if (bytes) return pictureFrame(bytes);
  const raw = rawPixels(payload);
  if (raw) return raw;
  throw new EdgeError('EDGE_INPUT_TYPE', describe(payload), {
    mend: 'Send a Buffer with a JPEG or PNG, base64 text, a data URL or a file name',
  });
}

/** The frame of a compressed picture; the caller gives the bytes up. */
export function pictureFrame(bytes: Uint8Array): Frame {
  if (bytes.byteLength === 0) throw new EdgeError('EDGE_INPUT_EMPTY', 'a picture of 0 bytes');
  refuseLarge(bytes.byteLength);
  const header = readImageHeader(bytes);
  if (!header) throw new EdgeError('EDGE_IMAGE_FORMAT', `${bytes.byteLength} bytes beginning with ${hex(bytes)}`);
  if (header.width * header.height > MAX_PIXELS) {
    throw new EdgeError('EDGE_IMAGE_TOO_LARGE', `${header.width}x${header.height}, at most ${MAX_PIXELS / 1e6} megapixels`);
  }
  return makeFrame(bytes, header.encoding, header.width, header.height);
}

/** A picture file, read off the event loop and within the size limit. Devices, pipes and folders are refused. */
export async function readPictureFile(path: string): Promise<Frame> {
  if (path.includes('\0')) throw new EdgeError('EDGE_INPUT_TYPE', 'a file name with a NUL character');
  try {
    // Looked at before it is opened: opening a named pipe would hold a thread until somebody writes to it.
    const about = await stat(path);
    if (!about.isFile()) throw new EdgeError('EDGE_FILE_NOT_FOUND', `${shorten(path)} is not a file`);
    const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const { size } = await file.stat();
      refuseLarge(size);
      return pictureFrame(await file.readFile());
    } finally {
      await file.close();
    }
  } catch (thrown) {
    if (thrown instanceof EdgeError) throw thrown;
    const reason = (thrown as NodeJS.ErrnoException).code ?? String(thrown);
    throw new EdgeError('EDGE_FILE_NOT_FOUND', `${shorten(path)} (${reason})`, { cause: thrown });
  }
}

async function fromText(text: string): Promise<Frame> {
  refuseLarge(text.length * 0.75);
  if (text.startsWith('data:')) {
    const comma = text.indexOf(',');
    if (comma < 0 || comma > 256) throw new EdgeError('EDGE_INPUT_TYPE', 'a data URL without data');
    if (!text.slice(0, comma).endsWith(';base64')) throw new EdgeError('EDGE_INPUT_TYPE', 'a data URL that is not base64');
    return pictureFrame(Buffer.from(text.slice(comma + 1), 'base64'));
  }
  // The base64 of a JPEG begins with "/9j/" like a path, so the bytes are looked at first.
  if (readImageHeader(Buffer.from(text.slice(0, 32), 'base64'))) return pictureFrame(Buffer.from(text, 'base64'));
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(text)) {
    throw new EdgeError('EDGE_INPUT_TYPE', 'an address', { mend: 'Read it with edge-camera or an "http request" node' });
  }
  if (text.length > 4096 || /[\r\n]/.test(text)) throw new EdgeError('EDGE_INPUT_TYPE', `a text of ${text.length} characters`);
  return readPictureFile(text);
}

function asBytes(payload: unknown): Uint8Array | null {
  if (payload instanceof Uint8Array) return payload;
  if (ArrayBuffer.isView(payload)) return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
  if (payload instanceof ArrayBuffer) return new Uint8Array(payload);
  const json = payload as { type?: unknown; data?: unknown };
  if (json.type === 'Buffer' && Array.isArray(json.data)) {
    refuseLarge(json.data.length);
    return Buffer.from(json.data as number[]);
  }
  return null;
}

/** `{width, height, data}` as canvas, Jimp (in `bitmap`) and others have it. */
function rawPixels(payload: unknown): Frame | null {
  if (typeof payload !== 'object' || payload === null) return null;
  const holder = payload as { bitmap?: unknown };
  const picture = (typeof holder.bitmap === 'object' && holder.bitmap !== null ? holder.bitmap : payload) as Record<
    string,
    unknown
  >;
  const { width, height, data } = picture;
  if (!Number.isInteger(width) || !Number.isInteger(height) || !ArrayBuffer.isView(data)) return null;
  const pixels = (width as number) * (height as number);
  if ((width as number) <= 0 || (height as number) <= 0) throw new EdgeError('EDGE_INPUT_EMPTY', `${width}x${height} pixels`);
  if (pixels > MAX_PIXELS) throw new EdgeError('EDGE_IMAGE_TOO_LARGE', `${width}x${height}`);
  const encodings: Record<number, FrameEncoding> = { 1: 'mono8', 3: 'rgb8', 4: 'rgba8' };
  const encoding = encodings[data.byteLength / pixels];
  if (!encoding) throw new EdgeError('EDGE_INPUT_TYPE', `${data.byteLength} bytes for ${width}x${height} pixels`);
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return makeFrame(bytes, encoding, width as number, height as number);
}

function refuseLarge(bytes: number): void {
  if (bytes > MAX_PICTURE_BYTES) {
    const megabytes = (value: number) => `${Math.round(value / 2 ** 20)} MB`;
    throw new EdgeError('EDGE_IMAGE_TOO_LARGE', `${megabytes(bytes)}, at most ${megabytes(MAX_PICTURE_BYTES)}`);
  }
}

function describe(payload: unknown): string {
  if (Array.isArray(payload)) return `an array of ${payload.length}`;
  if (typeof payload === 'object' && payload !== null) {
    return `an object with the keys ${Object.keys(payload).slice(0, 6).join(', ') || '(none)'}`;
  }
  return `a ${typeof payload}`;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, 8)).toString('hex');
}

function shorten(path: string): string {
  return path.length > 120 ? `...${path.slice(-117)}` : path;
}

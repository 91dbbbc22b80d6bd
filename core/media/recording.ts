import { createReadStream } from 'node:fs';
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import { asEdgeError, EdgeError } from '../errors';
import { type Frame, makeFrame } from '../message/frame';
import { type DecodedPicture, decodeVideo, findFfmpeg, WHOLE } from './ffmpeg';
import { readImageHeader } from './image-header';
import { pictureFrame, readPictureFile } from './image-input';
import { picturesOf } from './mjpeg';

const PICTURE_FILE = /\.(jpe?g|png|webp|gif|tiff?|avif)$/i;
const MJPEG_FILE = /\.(mjpe?g|mjpg)$/i;
/** Pictures a second where neither the user nor the recording says. */
const DEFAULT_RATE = 5;
const MAX_FOLDER_ENTRIES = 200_000;

export interface Recording {
  /** The file's or folder's name without extension. */
  name: string;
  kind: 'picture' | 'folder' | 'mjpeg' | 'video';
  /** Pictures in it, where that is known without reading it. */
  count?: number;
  /**
   * The recording from its beginning, read as it is asked for; ending the iteration releases everything. A picture that cannot
   * be read is told to `onError` and passed over.
   */
  play(onError: (error: EdgeError) => void): AsyncGenerator<RecordedFrame>;
}

export interface RecordedFrame {
  frame: Frame;
  /** Milliseconds from the recording's beginning. */
  at: number;
}

export interface RecordingOptions {
  /** Pictures a second of a folder or MJPEG file; of a video, how many of its pictures are taken. 0: what the recording says. */
  framesPerSecond?: number;
  /** Of a video: a wider picture is shrunk to so many pixels, keeping its shape. 0: as it is. */
  largestWidth?: number;
  /** The FFmpeg program for videos; the first on the PATH, or one in `ffmpegFolder`, when empty. */
  ffmpeg?: string;
  ffmpegFolder?: string;
}

/**
 * A recording: a folder of pictures in natural order, one picture, an MJPEG file, or a video where FFmpeg is there. An MJPEG file's
 * rate comes from `<name>.json` beside it (`{"framesPerSecond": 5}`).
 * @throws EDGE_FILE_NOT_FOUND, EDGE_INPUT_EMPTY, EDGE_FFMPEG_MISSING
 */
export async function openRecording(path: string, options: RecordingOptions = {}): Promise<Recording> {
  const full = resolve(path);
  const about = await stat(full).catch((cause: NodeJS.ErrnoException) => {
    throw new EdgeError('EDGE_FILE_NOT_FOUND', `${path} (${cause.code})`, { cause });
  });
  const name = basename(full, extname(full));
  const rate = options.framesPerSecond || undefined;
  if (about.isDirectory()) return folderRecording(full, name, rate ?? DEFAULT_RATE);
  if (!about.isFile()) throw new EdgeError('EDGE_FILE_NOT_FOUND', `${path} is neither a file nor a folder`);
  if (about.size === 0) throw new EdgeError('EDGE_INPUT_EMPTY', `${path} has 0 bytes`);
  if (MJPEG_FILE.test(full)) return mjpegRecording(full, name, rate ?? (await rateBeside(full)));
  // Named as a picture it is none for FFmpeg, whatever is in it: the picture's own error says more.
  if (PICTURE_FILE.test(full) || readImageHeader(await firstBytes(full))) return pictureRecording(full, name);
  return videoRecording(full, name, await findFfmpeg(options.ffmpeg, options.ffmpegFolder), rate, options.largestWidth ?? 0);
}

async function folderRecording(folder: string, name: string, rate: number): Promise<Recording> {
  const entries = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    throw new EdgeError('EDGE_FILE_NOT_FOUND', `${folder} (${cause.code})`, { cause });
  });
  if (entries.length > MAX_FOLDER_ENTRIES)
    throw new EdgeError('EDGE_FILE_NOT_FOUND', `${folder} has more than ${MAX_FOLDER_ENTRIES} entries`);
  // "frame-2" before "frame-10".
  const order = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });
  const files = entries.filter((entry) => PICTURE_FILE.test(entry) && !entry.startsWith('.')).sort(order.compare);
  if (files.length === 0)
    throw new EdgeError('EDGE_INPUT_EMPTY', `no picture in ${folder}`, {
      mend: 'JPEG, PNG, WebP, GIF, TIFF and AVIF are looked for',
    });
  return {
    name,
    kind: 'folder',
    count: files.length,
    async *play(onError) {
      for (const [index, file] of files.entries()) {
        const frame = await readPictureFile(join(folder, file)).catch((thrown: unknown) => {
          onError(asEdgeError(thrown));
          return null;
        });
        if (frame) yield { frame, at: (index * 1000) / rate };
      }
    },
  };
}

function pictureRecording(path: string, name: string): Recording {
  return {
    name,
    kind: 'picture',
    count: 1,
    async *play() {
      yield { frame: await readPictureFile(path), at: 0 };
    },
  };
}

function mjpegRecording(path: string, name: string, rate: number): Recording {
  return {
    name,
    kind: 'mjpeg',
    async *play() {
      const file = createReadStream(path, { highWaterMark: 128 * 1024 });
      yield* timed(compressed(picturesOf(file)), rate, `${name} holds no JPEG picture`);
    },
  };
}

function videoRecording(path: string, name: string, ffmpeg: string, rate: number | undefined, largestWidth: number): Recording {
  return {
    name,
    kind: 'video',
    async *play() {
      const view = { ...WHOLE, largestWidth };
      const video = await decodeVideo(ffmpeg, path, rate ? { framesPerSecond: rate, view } : { view });
      yield* timed(framesOf(video.pictures), video.framesPerSecond || DEFAULT_RATE, `${name} holds no picture`);
    },
  };
}

async function* framesOf(pictures: AsyncIterable<DecodedPicture>): AsyncGenerator<Frame> {
  for await (const { pixels, width, height } of pictures) yield makeFrame(pixels, 'rgb8', width, height);
}

async function* compressed(pictures: AsyncIterable<Uint8Array>): AsyncGenerator<Frame> {
  for await (const bytes of pictures) yield pictureFrame(bytes);
}

async function* timed(frames: AsyncIterable<Frame>, rate: number, empty: string): AsyncGenerator<RecordedFrame> {
  let index = 0;
  for await (const frame of frames) {
    yield { frame, at: (index * 1000) / rate };
    index += 1;
  }
  if (index === 0) throw new EdgeError('EDGE_INPUT_EMPTY', empty);
}

async function rateBeside(path: string): Promise<number> {
  try {
    const beside = JSON.parse(await readFile(path.replace(/\.[^.]+$/, '.json'), 'utf8')) as { framesPerSecond?: unknown };
    const rate = Number(beside.framesPerSecond);
    return rate > 0 && rate <= 1000 ? rate : DEFAULT_RATE;
  } catch {
    return DEFAULT_RATE;
  }
}

async function firstBytes(path: string): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const bytes = new Uint8Array(64);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

import { EdgeError } from '../../errors';
import { FfmpegChild } from './child';
import { lastComplaint } from './failure';
import { type Pixmap, PixmapReader } from './pixmap';
import { recordedArguments, type View, WHOLE } from './view';

/** Milliseconds without a byte, while somebody waits for one, after which FFmpeg is taken to hang and is killed. */
const STALL_MS = 10_000;

export type DecodedPicture = Pixmap;

export interface VideoPictures {
  /** Pictures a second; 0 where the video does not say. */
  framesPerSecond: number;
  /** Decoded only as fast as they are asked for. Ending the iteration kills FFmpeg. */
  pictures: AsyncIterable<DecodedPicture>;
}

export interface DecodeOptions {
  framesPerSecond?: number;
  view?: View;
  stallMs?: number;
}

/**
 * Decode a video file to RGB pixels in a child process that can be killed whatever it does.
 * @throws EDGE_FFMPEG_FAILED with what FFmpeg said, also when it stopped answering
 */
export async function decodeVideo(ffmpeg: string, path: string, options: DecodeOptions = {}): Promise<VideoPictures> {
  const { framesPerSecond, view = WHOLE, stallMs = STALL_MS } = options;
  // A file, and only files: a playlist inside it must not make FFmpeg open addresses.
  const input = ['-nostdin', '-hide_banner', '-nostats', '-protocol_whitelist', 'file,pipe,crypto,data', '-i', `file:${path}`];
  const child = await FfmpegChild.start(ffmpeg, [...input, '-an', '-sn', ...recordedArguments(view, framesPerSecond)]);
  const decoding = new Decoding(child, stallMs);
  return { framesPerSecond: framesPerSecond ?? (await decoding.frameRate()), pictures: decoding.pictures() };
}

class Decoding {
  private stalled = false;

  constructor(
    private readonly child: FfmpegChild,
    private readonly stallMs: number,
  ) {}

  /** FFmpeg describes its input before it writes the first picture. */
  async frameRate(): Promise<number> {
    const { output } = this.child;
    await this.orStalled(Promise.race([new Promise((resolve) => output.once('readable', resolve)), this.child.closed]));
    const { said } = this.child;
    const found = /Stream #.*Video:.* ([\d.]+) fps/.exec(said) ?? /Stream #.*Video:.* ([\d.]+) tbr/.exec(said);
    return found ? Number(found[1]) : 0;
  }

  async *pictures(): AsyncGenerator<DecodedPicture> {
    const found: DecodedPicture[] = [];
    const reader = new PixmapReader((picture) => found.push(picture));
    const reading = this.child.output[Symbol.asyncIterator]();
    let any = false;
    try {
      for (;;) {
        const next = await this.orStalled(reading.next());
        if (!next || next.done) break;
        reader.push(next.value as Buffer);
        any ||= found.length > 0;
        yield* found.splice(0);
      }
      await this.orStalled(this.child.closed);
      const code = this.child.exitCode;
      if (this.stalled || (code !== 0 && code !== undefined) || !any) throw this.failure(code);
    } finally {
      await this.child.kill();
    }
  }

  /** The promise's value, or undefined after the process was killed because nothing came in time. */
  private async orStalled<T>(promise: Promise<T>): Promise<T | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const stall = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => {
        this.stalled = true;
        void this.child.kill();
        resolve(undefined);
      }, this.stallMs);
    });
    try {
      return await Promise.race([promise, stall]);
    } finally {
      clearTimeout(timer);
    }
  }

  private failure(code: number | undefined): EdgeError {
    if (this.stalled) return new EdgeError('EDGE_FFMPEG_FAILED', `no picture for ${this.stallMs / 1000} s`);
    return new EdgeError('EDGE_FFMPEG_FAILED', `${lastComplaint(this.child.said)} (exit ${code ?? 'by a signal'})`);
  }
}

import { asEdgeError, EdgeError } from '../../errors';
import { FfmpegChild } from './child';
import type { Sink } from './direct-pipe';
import { failure, SOON_MS, type Subject } from './failure';
import { type Pixmap, PixmapReader } from './pixmap';

/** Milliseconds of silence after which a source is given up, by how far it had come. */
export interface LiveTimes {
  /** Until FFmpeg knows what the source holds. */
  openMs: number;
  /** From then to the first picture, which a camera may begin with its next key frame only. */
  firstMs: number;
  /** Between two pictures. */
  stallMs: number;
}

export interface LivePicture extends Pixmap {
  /** Milliseconds since the epoch at which its last byte was here. */
  capturedAt: number;
  /** Milliseconds from its first byte to its last. */
  captureMs: number;
}

/** The last milliseconds of a watch, for what already lies in the pipe: this process may have been the one that slept. */
const GRACE_MS = 250;
/** FFmpeg refuses a decoder that it does not know before it opens anything. */
const DECODER =
  /unknown decoder|unrecognized hwaccel|device creation failed|no device available for decoder|hwaccel .*(not|fail)/i;
/** Milliseconds for which packets without a picture among them still count as life: no camera's key frames are farther apart. */
const NO_KEY_FRAME_MS = 60_000;

/**
 * The newest picture of a running FFmpeg each time one is asked for. The pipe is read all the time, so FFmpeg never waits and
 * nothing grows old; a picture that nobody asked for in time is dropped. Exit codes are not believed: a stream whose server died
 * ends with 0, one whose server froze does not end. What counts is the age of the last picture.
 */
export class LiveVideo {
  /** FFmpeg found the source and what is in it. */
  opened = false;
  /** Pictures that came, and those of them that were dropped for a newer one. */
  seen = 0;
  dropped = 0;
  private readonly reader = new PixmapReader((picture) => this.keep(picture));
  private newest: LivePicture | undefined;
  private began = 0;
  private ended: { error?: EdgeError } | undefined;
  private wake: (() => void) | undefined;
  private watch: NodeJS.Timeout | undefined;
  private running: FfmpegChild | undefined;

  private constructor(
    private readonly subject: Subject,
    private readonly times: LiveTimes,
  ) {}

  /** @param options what FFmpeg gets on its standard input, and whether its second pipe tells of packets as they arrive */
  static async start(
    ffmpeg: string,
    values: string[],
    options: { input?: string | undefined; second?: boolean },
    subject: Subject,
    times: LiveTimes,
  ): Promise<LiveVideo> {
    const video = new LiveVideo(subject, times);
    video.follow(await FfmpegChild.start(ffmpeg, values, { ...options, sink: video.sink() }));
    return video;
  }

  get child(): FfmpegChild {
    return this.running!;
  }

  /** True when the source was found and gave nothing, or FFmpeg complains of the decoder: then that one is at fault. */
  get decoderAtFault(): boolean {
    return this.seen === 0 && (this.opened || DECODER.test(this.child.said));
  }

  /** Undefined after `stop()`. @throws why the source ended */
  async next(): Promise<LivePicture | undefined> {
    for (;;) {
      const { newest } = this;
      this.newest = undefined;
      if (newest) return newest;
      if (this.ended?.error) throw this.ended.error;
      if (this.ended) return undefined;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  /** Resolves when nothing of FFmpeg is left. */
  async stop(): Promise<void> {
    this.end();
    await this.running?.kill();
  }

  private follow(child: FfmpegChild): void {
    this.running = child;
    // Packets as they arrive: life in a stream of which few pictures are wanted.
    child.second?.on('data', () => this.lives());
    child.second?.on('error', () => {});
    child.onSaid(() => {
      if (this.opened || !/^Input #0/m.test(child.said)) return;
      this.opened = true;
      // Pictures come by another pipe, and the first may have been read before.
      if (this.seen === 0) this.watchFor(this.times.firstMs);
    });
    void child.closed.then(() => this.end(this.reason()));
    this.watchFor(this.times.openMs);
  }

  /** The reader, whose errors end the video in the place of the process. */
  private sink(): Sink {
    const nowhere = Buffer.alloc(65_536);
    return {
      space: () => (this.ended ? nowhere : this.reader.space()),
      filled: (length) => {
        if (this.ended) return;
        try {
          if (!this.reader.inside) this.began = performance.now();
          this.reader.filled(length);
        } catch (thrown) {
          this.end(asEdgeError(thrown));
        }
      },
    };
  }

  private keep(picture: Pixmap): void {
    if (this.newest) {
      this.dropped += 1;
      this.reader.recycle(this.newest);
    }
    const now = performance.now();
    this.newest = { ...picture, capturedAt: Date.now(), captureMs: now - this.began };
    this.began = now;
    this.seen += 1;
    this.watchFor(this.times.stallMs);
    this.wake?.();
  }

  private lives(): void {
    if (this.seen > 0 && performance.now() - this.began < NO_KEY_FRAME_MS) this.watchFor(this.times.stallMs);
  }

  private watchFor(ms: number): void {
    clearTimeout(this.watch);
    if (this.ended) return;
    this.watch = setTimeout(() => {
      this.watch = setTimeout(() => this.end(this.silence(ms)), GRACE_MS);
    }, ms - GRACE_MS);
  }

  private silence(ms: number): EdgeError {
    const what = this.seen > 0 ? 'no picture' : this.opened ? 'no first picture' : 'no answer';
    return new EdgeError('EDGE_SOURCE_TIMEOUT', `${this.subject.shown}: ${what} for ${ms / 1000} s`, { retryAfter: SOON_MS });
  }

  private reason(): EdgeError {
    if (this.seen > 0) {
      return new EdgeError('EDGE_SOURCE_UNREACHABLE', `${this.subject.shown}: the stream ended`, { retryAfter: SOON_MS });
    }
    return failure(this.child.said, this.subject, this.child.exitCode);
  }

  private end(error?: EdgeError): void {
    if (this.ended) return;
    this.ended = error ? { error } : {};
    clearTimeout(this.watch);
    void this.running?.kill();
    this.wake?.();
  }
}

import type { IncomingMessage } from 'node:http';
import { EdgeError } from '../../errors';
import { pictureFrame } from '../image-input';
import { MjpegParser } from '../mjpeg';
import type { CameraSource, CapturedPicture } from './camera-source';
import type { CameraHttp } from './http';
import { MAX_SNAPSHOT_BYTES, notPictures } from './snapshot';

/** Milliseconds without a whole picture after which a stream is taken to hang, whatever bytes still trickle. */
export const STALL_MS = 5000;
/** Bytes without a picture after which this is taken to be no stream of pictures. */
const MAX_SKIPPED = 4 * 2 ** 20;

/** A camera that sends picture after picture in one answer (multipart/x-mixed-replace, "MJPEG"). */
export class MjpegSource implements CameraSource {
  readonly kind = 'mjpeg';

  constructor(
    private readonly http: CameraHttp,
    private readonly stallMs = STALL_MS,
  ) {}

  async *pictures(signal: AbortSignal): AsyncGenerator<CapturedPicture> {
    yield* streamPictures(await this.http.get(signal), this.http, signal, this.stallMs);
  }

  close(): void {
    this.http.close();
  }
}

/** The newest picture of the answer each time it is asked for. The connection is read all the time, so that nothing is ever old. */
export async function* streamPictures(
  answer: IncomingMessage,
  http: CameraHttp,
  signal: AbortSignal,
  stallMs: number,
): AsyncGenerator<CapturedPicture> {
  const stream = new NewestOf(answer, http, stallMs);
  const drop = () => stream.end();
  signal.addEventListener('abort', drop);
  try {
    for (;;) {
      const picture = await stream.next();
      if (!picture || signal.aborted) return;
      yield picture;
    }
  } finally {
    signal.removeEventListener('abort', drop);
    stream.end();
  }
}

class NewestOf {
  private readonly parser = new MjpegParser(MAX_SNAPSHOT_BYTES);
  private readonly stall: NodeJS.Timeout;
  /** Bytes only: a picture that nobody asks for does not count as alive. */
  private newest: { bytes: Buffer; capturedAt: number; captureMs: number } | undefined;
  private lastAt = performance.now();
  private seen = 0;
  private ended: { error?: EdgeError } | undefined;
  private wake: (() => void) | undefined;

  constructor(
    private readonly answer: IncomingMessage,
    private readonly http: CameraHttp,
    stallMs: number,
  ) {
    this.stall = setTimeout(
      () => this.end(new EdgeError('EDGE_SOURCE_TIMEOUT', `${http.shown} sent no picture for ${stallMs / 1000} s`)),
      stallMs,
    );
    answer.on('data', (chunk: Buffer) => this.take(chunk));
    answer.once('end', () => this.end(this.lost('the stream ended')));
    answer.once('error', (error: NodeJS.ErrnoException) => this.end(this.lost(error.code ?? error.message)));
    answer.once('close', () => this.end(this.lost('the connection was closed')));
  }

  /** Undefined after `end()` without an error. */
  async next(): Promise<CapturedPicture | undefined> {
    for (;;) {
      const newest = this.newest;
      this.newest = undefined;
      if (newest) {
        const { bytes, ...times } = newest;
        return { frame: pictureFrame(bytes), ...times };
      }
      if (this.ended?.error) throw this.ended.error;
      if (this.ended) return undefined;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  end(error?: EdgeError): void {
    if (this.ended) return;
    this.ended = error ? { error } : {};
    clearTimeout(this.stall);
    this.answer.destroy();
    this.wake?.();
  }

  private take(chunk: Buffer): void {
    if (this.ended) return;
    try {
      const bytes = this.parser.push(chunk).at(-1);
      if (bytes) this.keep(bytes);
      else if (this.parser.skipped > MAX_SKIPPED) this.end(notPictures(this.answer, this.http, 'no JPEG picture in it'));
    } catch (thrown) {
      // A picture past a limit: the stream is not worth reading on.
      this.end(thrown as EdgeError);
    }
  }

  private keep(bytes: Buffer): void {
    const now = performance.now();
    this.newest = { bytes, capturedAt: Date.now(), captureMs: now - this.lastAt };
    this.lastAt = now;
    this.seen += 1;
    this.stall.refresh();
    this.wake?.();
  }

  private lost(found: string): EdgeError {
    if (this.seen === 0) return notPictures(this.answer, this.http, found);
    return new EdgeError('EDGE_SOURCE_UNREACHABLE', `${this.http.shown}: ${found}`, { retryAfter: 1000 });
  }
}

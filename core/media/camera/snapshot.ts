import type { IncomingMessage } from 'node:http';
import { EdgeError } from '../../errors';
import { pictureFrame } from '../image-input';
import type { CameraSource, CapturedPicture } from './camera-source';
import { type CameraHttp, withTimeout } from './http';

/** Largest picture that a camera may send, in bytes. */
export const MAX_SNAPSHOT_BYTES = 32 * 2 ** 20;

/** A camera that gives one picture for each request. */
export class SnapshotSource implements CameraSource {
  readonly kind = 'snapshot';

  constructor(
    private readonly http: CameraHttp,
    private readonly bodyTimeoutMs: number,
  ) {}

  async *pictures(signal: AbortSignal): AsyncGenerator<CapturedPicture> {
    while (!signal.aborted) {
      const asked = performance.now();
      yield await readSnapshot(await this.http.get(signal), this.http, signal, this.bodyTimeoutMs, asked);
    }
  }

  close(): void {
    this.http.close();
  }
}

/** The answer's body as a picture. The connection is dropped when it is too slow, too long or not a picture. */
export async function readSnapshot(
  answer: IncomingMessage,
  http: CameraHttp,
  signal: AbortSignal,
  timeoutMs: number,
  asked: number,
): Promise<CapturedPicture> {
  const deadline = withTimeout(signal, timeoutMs);
  const drop = () => answer.destroy();
  deadline.signal.addEventListener('abort', drop);
  try {
    if (Number(answer.headers['content-length']) > MAX_SNAPSHOT_BYTES) throw tooLarge(http);
    const bytes = await readBody(answer, http);
    if (deadline.signal.aborted) throw new Error('aborted');
    const frame = pictureOf(bytes, answer, http);
    return { frame, capturedAt: Date.now(), captureMs: performance.now() - asked };
  } catch (thrown) {
    answer.destroy();
    throw http.explain(thrown, deadline.timedOut(), signal);
  } finally {
    deadline.signal.removeEventListener('abort', drop);
    deadline.clear();
  }
}

async function readBody(answer: IncomingMessage, http: CameraHttp): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_SNAPSHOT_BYTES) throw tooLarge(http);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

function pictureOf(bytes: Buffer, answer: IncomingMessage, http: CameraHttp) {
  try {
    return pictureFrame(bytes);
  } catch (thrown) {
    if (thrown instanceof EdgeError && thrown.code !== 'EDGE_IMAGE_FORMAT' && thrown.code !== 'EDGE_INPUT_EMPTY') throw thrown;
    throw notPictures(answer, http, `${bytes.length} bytes`);
  }
}

/** The error for an answer that holds no picture, with what it says it is. */
export function notPictures(answer: IncomingMessage, http: CameraHttp, found: string): EdgeError {
  const type = (answer.headers['content-type'] ?? 'no content type').slice(0, 80);
  return new EdgeError('EDGE_SOURCE_CONTENT', `${http.shown} gives ${type}, ${found}`, {
    ...(/html/i.test(type) ? { mend: 'This looks like a page; the address of the picture itself is needed' } : {}),
  });
}

function tooLarge(http: CameraHttp): EdgeError {
  return new EdgeError('EDGE_IMAGE_TOO_LARGE', `${http.shown} sends more than ${MAX_SNAPSHOT_BYTES / 2 ** 20} MB`);
}

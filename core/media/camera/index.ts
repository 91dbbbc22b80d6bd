import { EdgeError } from '../../errors';
import { type Credentials, parseAddress } from './address';
import type { CameraSource, CapturedPicture } from './camera-source';
import { CameraHttp } from './http';
import { MjpegSource, STALL_MS, streamPictures } from './mjpeg-stream';
import { readSnapshot, SnapshotSource } from './snapshot';

export { Camera, type CameraEvents, type CameraState } from './camera';
export type { CameraSource, CapturedPicture } from './camera-source';

export type CameraKind = 'auto' | 'snapshot' | 'mjpeg';

export interface CameraSettings {
  url: string;
  kind: CameraKind;
  credentials?: Partial<Credentials>;
  /** Milliseconds for connecting and headers, and again for the body of a snapshot. */
  timeoutMs?: number;
  /** Milliseconds without a picture after which a stream is given up. */
  stallMs?: number;
  insecure?: boolean;
}

const TIMEOUT_MS = 10_000;

/**
 * The source that an address and a kind name; nothing is asked for yet. A new way to reach cameras gets its file here and its
 * line below.
 * @throws EDGE_SOURCE_URL
 */
export function openCamera(settings: CameraSettings): CameraSource {
  const { kind, timeoutMs = TIMEOUT_MS, stallMs = STALL_MS } = settings;
  const http = new CameraHttp(parseAddress(settings.url, settings.credentials), {
    timeoutMs,
    insecure: settings.insecure ?? false,
  });
  if (kind === 'snapshot') return new SnapshotSource(http, timeoutMs);
  if (kind === 'mjpeg') return new MjpegSource(http, stallMs);
  return new EitherSource(http, timeoutMs, stallMs);
}

/** One picture, then the connection is dropped. */
export async function takeSnapshot(settings: CameraSettings, signal: AbortSignal): Promise<CapturedPicture> {
  const source = openCamera(settings);
  try {
    for await (const picture of source.pictures(signal)) return picture;
    throw new EdgeError('EDGE_SOURCE_UNREACHABLE', 'stopped before a picture came');
  } finally {
    source.close();
  }
}

/** Looks at what the first answer says it is, and goes on with that very answer. */
class EitherSource implements CameraSource {
  kind: 'snapshot' | 'mjpeg' = 'snapshot';

  constructor(
    private readonly http: CameraHttp,
    private readonly timeoutMs: number,
    private readonly stallMs: number,
  ) {}

  async *pictures(signal: AbortSignal): AsyncGenerator<CapturedPicture> {
    const asked = performance.now();
    const answer = await this.http.get(signal);
    const stream = /^(multipart\/|video\/x-(motion-)?m?jpeg)/i.test(answer.headers['content-type'] ?? '');
    this.kind = stream ? 'mjpeg' : 'snapshot';
    if (stream) yield* streamPictures(answer, this.http, signal, this.stallMs);
    else {
      yield await readSnapshot(answer, this.http, signal, this.timeoutMs, asked);
      yield* new SnapshotSource(this.http, this.timeoutMs).pictures(signal);
    }
  }

  close(): void {
    this.http.close();
  }
}

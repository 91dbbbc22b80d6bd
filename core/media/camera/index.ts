import { EdgeError } from '../../errors';
import { type StreamTransport, type View, WHOLE } from '../ffmpeg';
import { changesPicture, viewFrame } from '../view-frame';
import { type Credentials, parseAddress } from './address';
import type { CameraSource, CapturedPicture } from './camera-source';
import { CameraHttp } from './http';
import { MjpegSource, STALL_MS, streamPictures } from './mjpeg-stream';
import { readSnapshot, SnapshotSource } from './snapshot';
import { VideoSource } from './video-source';

export { Camera, type CameraEvents, type CameraState } from './camera';
export type { CameraSource, CapturedPicture } from './camera-source';

/** `auto`: by the address, and over http by the answer. `video`: FFmpeg reads it, whatever the address says. */
export type CameraKind = 'auto' | 'snapshot' | 'mjpeg' | 'video';

export interface CameraSettings {
  url: string;
  kind: CameraKind;
  credentials?: Partial<Credentials>;
  /** Milliseconds for connecting and headers, and again for the body of a snapshot; of video, until the source is found. */
  timeoutMs?: number;
  /** Milliseconds without a picture after which a stream is given up. */
  stallMs?: number;
  insecure?: boolean;
  /** Part, rotation and largest width. Pictures that come compressed are only decoded here for a part or a rotation. */
  view?: View;
  /** Of video: at most so many pictures a second are decoded to pixels; 0 for all. */
  framesPerSecond?: number;
  transport?: StreamTransport;
  /** `off`, `auto`, or the name of a hardware decoder. */
  hardware?: string;
  keyFramesOnly?: boolean;
  /** The FFmpeg program; the first on the PATH, or one in `ffmpegFolder`, where it is empty. */
  ffmpeg?: string;
  ffmpegFolder?: string;
}

const TIMEOUT_MS = 5000;

/**
 * The source that an address and a kind name; nothing is asked for yet. A new way to reach cameras gets its file here and its
 * line below.
 * @param onNotice what the user should know although pictures come, such as a hardware decoder that did not work
 * @throws EDGE_SOURCE_URL
 */
export function openCamera(settings: CameraSettings, onNotice?: (text: string) => void): CameraSource {
  const { kind, timeoutMs = TIMEOUT_MS, stallMs = STALL_MS, view = WHOLE, ffmpeg = '', ffmpegFolder = '' } = settings;
  const address = parseAddress(settings.url, settings.credentials);
  if (kind === 'video' || (kind === 'auto' && address.kind !== 'http')) {
    const { framesPerSecond = 0, transport = 'auto', hardware = 'off', keyFramesOnly = false } = settings;
    const video = { view, framesPerSecond, transport, hardware, keyFramesOnly, timeoutMs, stallMs, ffmpeg, ffmpegFolder };
    return new VideoSource(address, video, onNotice);
  }
  if (!('url' in address) || !/^https?:$/.test(address.url.protocol)) {
    throw new EdgeError('EDGE_SOURCE_URL', `a ${kind} needs an http address`, { mend: 'Choose "by the address" as the kind' });
  }
  const http = new CameraHttp(address, { timeoutMs, insecure: settings.insecure ?? false });
  const source =
    kind === 'snapshot'
      ? new SnapshotSource(http, timeoutMs)
      : kind === 'mjpeg'
        ? new MjpegSource(http, stallMs)
        : new EitherSource(http, timeoutMs, stallMs);
  return changesPicture(view) ? new ViewedSource(source, view) : source;
}

/** One picture, then the connection is dropped. */
export async function takeSnapshot(settings: CameraSettings, signal: AbortSignal): Promise<CapturedPicture> {
  const source = openCamera({ ...settings, framesPerSecond: 0 });
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

/** Cuts and turns what another source gives. */
class ViewedSource implements CameraSource {
  constructor(
    private readonly source: CameraSource,
    private readonly view: View,
  ) {}

  get kind(): CameraSource['kind'] {
    return this.source.kind;
  }

  async *pictures(signal: AbortSignal): AsyncGenerator<CapturedPicture> {
    for await (const picture of this.source.pictures(signal)) {
      yield { ...picture, frame: await viewFrame(picture.frame, this.view) };
    }
  }

  close(): void {
    this.source.close();
  }
}

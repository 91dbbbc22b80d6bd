import { makeFrame } from '../../message/frame';
import {
  Ffmpeg,
  findFfmpeg,
  inputArguments,
  LiveVideo,
  linuxDevice,
  pictureArguments,
  type StreamTransport,
  type VideoInput,
  type View,
} from '../ffmpeg';
import { isStatic, withHostAddress } from '../ffmpeg/host-address';
import { untilAborted } from '../sleep';
import { type CameraAddress, encode, hasSecrets, maskAddress, urlWithCredentials } from './address';
import type { CameraSource, CapturedPicture } from './camera-source';
import { knock, knockDevice } from './knock';

export interface VideoSettings {
  view: View;
  /** At most so many pictures a second; 0 for all. */
  framesPerSecond: number;
  transport: StreamTransport;
  /** `off`, `auto` for the best this machine has, or a decoder's name as FFmpeg calls it. */
  hardware: string;
  keyFramesOnly: boolean;
  /** Milliseconds until the source answers. */
  timeoutMs: number;
  stallMs: number;
  /** The FFmpeg program that was named, and the folder where one may have been put. */
  ffmpeg: string;
  ffmpegFolder: string;
}

/** Least milliseconds for the first picture of a source that answered: cameras begin with a key frame, every 10 s at some. */
const FIRST_PICTURE_MS = 15_000;
/** Pictures a second below which the camera's own clock picks them out: FFmpeg gives one a second, as a sign of life. */
const SLOWEST = 1;

/** A camera that FFmpeg reads: RTSP and other streams, USB cameras, video files. Gives raw RGB frames in the size that was asked for. */
export class VideoSource implements CameraSource {
  readonly kind = 'video';
  readonly longestWaitMs = 3000;
  private hardwareFailed = false;

  constructor(
    private readonly address: CameraAddress,
    private readonly settings: VideoSettings,
    private readonly onNotice: (text: string) => void = () => {},
  ) {}

  get paced(): boolean {
    return this.settings.framesPerSecond >= SLOWEST || this.settings.framesPerSecond === 0;
  }

  async *pictures(signal: AbortSignal): AsyncGenerator<CapturedPicture> {
    const { settings, address } = this;
    const ffmpeg = await untilAborted(this.findFfmpeg(), signal);
    if (!ffmpeg) return;
    if ('url' in address) await knock(address.url, maskAddress(address), settings.timeoutMs, signal);
    if (address.kind === 'device' && process.platform === 'linux') await knockDevice(linuxDevice(address.device));
    // Trying what this machine has takes a while, once; who stops the camera does not wait for it.
    const decoder = await untilAborted(this.chooseDecoder(ffmpeg), signal);
    if (decoder === undefined || signal.aborted) return;
    const input = await untilAborted(this.input(ffmpeg), signal);
    if (!input) return;
    const video = await this.start(ffmpeg, decoder, input);
    const stop = () => void video.stop();
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    try {
      for (;;) {
        const picture = await video.next();
        if (!picture || signal.aborted) return;
        const { pixels, width, height, capturedAt, captureMs } = picture;
        yield { frame: makeFrame(pixels, 'rgb8', width, height), capturedAt, captureMs };
      }
    } catch (thrown) {
      if (!decoder || !video.decoderAtFault || signal.aborted) throw thrown;
      // Software from now on, at once.
      this.hardwareFailed = true;
      this.onNotice(`${maskAddress(address)}: the hardware decoder "${decoder}" gives no picture; software decodes instead`);
    } finally {
      signal.removeEventListener('abort', stop);
      await video.stop();
    }
    yield* this.pictures(signal);
  }

  close(): void {}

  private async findFfmpeg(): Promise<Ffmpeg> {
    const { ffmpeg, ffmpegFolder } = this.settings;
    return Ffmpeg.at(await findFfmpeg(ffmpeg, ffmpegFolder));
  }

  private async chooseDecoder(ffmpeg: Ffmpeg): Promise<string> {
    const { hardware } = this.settings;
    if (hardware === 'off' || this.hardwareFailed) return '';
    return hardware === 'auto' ? ((await ffmpeg.hardware())[0] ?? '') : hardware;
  }

  private async start(ffmpeg: Ffmpeg, decoder: string, input: VideoInput): Promise<LiveVideo> {
    const { view, framesPerSecond, keyFramesOnly, timeoutMs, stallMs } = this.settings;
    const silenceMs = 2 * Math.max(timeoutMs, stallMs);
    const { values: reading, script } = inputArguments(ffmpeg, input, { silenceMs, keyFramesOnly, decoder });
    const rate = framesPerSecond === 0 ? undefined : Math.max(framesPerSecond, SLOWEST);
    const values = [...reading, '-map', '0:v:0', ...pictureArguments(ffmpeg, view, rate)];
    // A line for each packet, without its bytes: how a stream of which only key frames are decoded is known to live.
    if (keyFramesOnly) values.push('-map', '0:v:0', '-c', 'copy', '-flush_packets', '1', '-f', 'framecrc', 'pipe:3');
    const subject = {
      kind: this.address.kind === 'http' ? 'stream' : this.address.kind,
      shown: maskAddress(this.address),
      secrets: [...(input.kind === 'stream' ? [input.url] : []), ...this.secrets()],
    } as const;
    const firstMs = Math.max(timeoutMs, FIRST_PICTURE_MS);
    const pipes = { input: script, second: keyFramesOnly };
    return LiveVideo.start(ffmpeg.path, values, pipes, subject, { openMs: timeoutMs, firstMs, stallMs });
  }

  private async input(ffmpeg: Ffmpeg): Promise<VideoInput> {
    const { address } = this;
    if (address.kind === 'device') return { kind: 'device', device: address.device };
    if (address.kind === 'file') return { kind: 'file', path: address.path };
    const url = urlWithCredentials(address);
    const readable = isStatic(ffmpeg.version) ? await withHostAddress(url) : url;
    return { kind: 'stream', url: readable, transport: this.settings.transport, secret: hasSecrets(address) };
  }

  private secrets(): string[] {
    if (!('url' in this.address)) return [];
    const { user = '', password = '' } = this.address.credentials ?? {};
    const encoded = [password, encode(password), encode(user)];
    return [urlWithCredentials(this.address), this.address.url.href, ...encoded, ...(user.length > 5 ? [user] : [])];
  }
}

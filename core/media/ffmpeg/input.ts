import type { Ffmpeg } from './program';

export type StreamTransport = 'auto' | 'tcp' | 'udp';

/** Something that FFmpeg reads as it happens. */
export type VideoInput =
  /** `url` as FFmpeg gets it, percent-encoded, user name and password in it; `secret` when it must not be seen in the list of processes. */
  | { kind: 'stream'; url: string; transport: StreamTransport; secret: boolean }
  /** `/dev/video0`; `0` or a name where cameras are not files. */
  | { kind: 'device'; device: string }
  /** Played at its own speed, over and over. */
  | { kind: 'file'; path: string };

export interface InputOptions {
  /** Milliseconds after which FFmpeg itself gives a silent connection up. We do before; this ends one that lost us. */
  silenceMs: number;
  /** Accept what a key frame alone gives. */
  keyFramesOnly: boolean;
  /** A hardware decoder (`vaapi`, `cuda`) or a decoder's own name (`h264_v4l2m2m`); empty for software. */
  decoder: string;
}

export interface InputArguments {
  values: string[];
  /** For its standard input. */
  script?: string;
}

/** Microseconds of the stream that are looked at before it is decoded. FFmpeg's own 5 seconds would be waited for at each start. */
const ANALYSE_US = 500_000;

/** What may be opened on the way of a stream. No files: a playlist from the network must not read this machine's disk. */
const NETWORK =
  'rtsp,rtsps,rtp,srtp,udp,tcp,tls,crypto,http,https,httpproxy,hls,rtmp,rtmps,rtmpt,rtmpts,rtmpe,srt,rist,mmsh,mmst,data';

/**
 * Arguments up to and including the input.
 *
 * `-fflags nobuffer`, which is often advised, is left out: it throws away what was read while the stream was looked at, and the
 * first picture then waits for the next key frame. `low_delay` keeps the decoder from holding a picture back for each of its threads.
 */
export function inputArguments(ffmpeg: Ffmpeg, input: VideoInput, options: InputOptions): InputArguments {
  const decoding = [
    ...(options.keyFramesOnly ? ['-skip_frame', 'nokey'] : []),
    ...decoderArguments(options.decoder),
    '-flags',
    'low_delay',
  ];
  const { values, script } = sourceArguments(ffmpeg, input, options.silenceMs);
  return { values: ['-hide_banner', '-nostdin', '-nostats', ...decoding, ...values], ...(script ? { script } : {}) };
}

function decoderArguments(decoder: string): string[] {
  if (decoder === '') return [];
  // Names of decoders begin with what they decode; those of hardware have no underscore.
  return decoder.includes('_') ? ['-c:v', decoder] : ['-hwaccel', decoder];
}

function sourceArguments(ffmpeg: Ffmpeg, input: VideoInput, silenceMs: number): InputArguments {
  if (input.kind === 'device') return { values: deviceArguments(input.device, process.platform) };
  if (input.kind === 'file') {
    const only = ['-protocol_whitelist', 'file,pipe,crypto,data'];
    return { values: ['-re', '-stream_loop', '-1', ...only, '-i', `file:${input.path}`] };
  }
  const settings = streamOptions(ffmpeg, input.url, input.transport, silenceMs);
  if (!input.secret || !ffmpeg.since5) {
    return { values: [...settings.flatMap(([name, value]) => [`-${name}`, value]), '-i', input.url] };
  }
  // The concat demuxer reads its list from standard input: so the address, with a password in it, is on no command line.
  const lines = settings.filter(([name]) => name !== 'protocol_whitelist').map(([name, value]) => `option ${name} ${value}`);
  const script = ['ffconcat version 1.0', `file '${input.url}'`, ...lines, ''].join('\n');
  const whitelist = ['-protocol_whitelist', `pipe,${whitelistOf(input.url)}`];
  return { values: ['-f', 'concat', '-safe', '0', ...whitelist, '-i', 'pipe:0'], script };
}

function streamOptions(ffmpeg: Ffmpeg, url: string, transport: StreamTransport, silenceMs: number): [string, string][] {
  const silence = String(silenceMs * 1000);
  const common: [string, string][] = [
    ['protocol_whitelist', whitelistOf(url)],
    ['analyzeduration', String(ANALYSE_US)],
  ];
  if (!/^rtsps?:/i.test(url)) return [...common, ['rw_timeout', silence]];
  return [
    ...common,
    // Before FFmpeg 5, -timeout of RTSP meant to wait for somebody who connects.
    [ffmpeg.since5 ? 'timeout' : 'stimeout', silence],
    ['allowed_media_types', 'video'],
    ...(transport === 'auto' ? ([['rtsp_flags', 'prefer_tcp']] as [string, string][]) : []),
    ...(transport === 'auto' ? [] : ([['rtsp_transport', transport]] as [string, string][])),
  ];
}

function whitelistOf(url: string): string {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase() ?? '';
  return scheme === '' || scheme === 'file' || NETWORK.split(',').includes(scheme) ? NETWORK : `${NETWORK},${scheme}`;
}

/** Video4Linux is what was tested; DirectShow (Windows) and AVFoundation (macOS) are written by FFmpeg's manual. */
export function deviceArguments(device: string, platform: NodeJS.Platform): string[] {
  if (platform === 'win32') return ['-f', 'dshow', '-i', `video=${device}`];
  // AVFoundation has no rate of its own to fall back on.
  if (platform === 'darwin') return ['-f', 'avfoundation', '-framerate', '30', '-i', `${device}:none`];
  return ['-f', 'v4l2', '-i', linuxDevice(device)];
}

/** `usb:0` is the first camera on every system; on Linux that is a file. */
export function linuxDevice(device: string): string {
  return /^\d+$/.test(device) ? `/dev/video${device}` : device;
}

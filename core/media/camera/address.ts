import { homedir } from 'node:os';
import { EdgeError } from '../../errors';
import { maskText, maskUrl } from '../../secrets';

export interface Credentials {
  user: string;
  password: string;
}

/** Where a camera is in the network, without secrets in the address: those are beside it. */
export interface NetworkAddress {
  /** `http`: pictures are asked for; `stream`: FFmpeg reads it. */
  kind: 'http' | 'stream';
  url: URL;
  credentials: Credentials | null;
}

export type CameraAddress =
  | NetworkAddress
  /** `/dev/video0`, or a number or name where cameras are not files. */
  | { kind: 'device'; device: string }
  | { kind: 'file'; path: string };

/** Schemes that no camera is read by, with what to do instead. */
const NOT_READ: Record<string, string> = {
  'onvif:': 'Use the stream address that ONVIF Device Manager shows',
  'ws:': 'Use the http or rtsp address',
  'wss:': 'Use the https or rtsp address',
};

/** `udp://@:5004`, `srt://:9000?mode=listener`: a camera or encoder sends, and this machine waits for it. */
const LISTENING = /^(udp|rtp|tcp|srt):\/\/@?(?=:\d)/i;

/** http addresses that are videos by their name, so that nobody has to say so. */
const VIDEO_PATH = /\.(m3u8|mpd|ts|flv|mp4)$/i;

/**
 * An address as somebody typed it: of a picture, of a stream, a device (`/dev/video0`, `usb:0`) or a video file. A user name in it
 * is taken out; the separate credentials win over it.
 * @throws EDGE_SOURCE_URL with a sentence that says what can be read, and never a password
 */
export function parseAddress(text: string, credentials?: Partial<Credentials>): CameraAddress {
  // Without a host an address is no URL; every address of this machine is meant.
  const typed = text.trim().replace(LISTENING, '$1://0.0.0.0');
  if (typed === '') {
    throw new EdgeError('EDGE_SOURCE_URL', 'none is set', {
      mend: 'Set the address of a stream, a snapshot, a USB camera or a video file',
    });
  }
  const device = /^(?:\/dev\/\S+|(?:usb|v4l2|dshow|avfoundation):(?:\/\/)?(.+))$/i.exec(typed);
  if (device) return { kind: 'device', device: (device[1] ?? typed).trim() };
  if (/^file:/i.test(typed)) return { kind: 'file', path: decode(typed.replace(/^file:(\/\/(localhost)?(?=\/))?/i, '')) };
  if (/^(\/|~\/|\.\.?\/|[a-z]:[\\/])/i.test(typed)) return { kind: 'file', path: typed.replace(/^~(?=\/)/, homedir()) };
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(typed) ? typed : `http://${typed}`;
  let url: URL;
  try {
    url = new URL(whole);
  } catch {
    throw new EdgeError('EDGE_SOURCE_URL', maskText(whole.slice(0, 200)), {
      mend: 'Signs such as # / @ in a password belong into its own field',
    });
  }
  const instead = NOT_READ[url.protocol];
  if (instead) throw new EdgeError('EDGE_SOURCE_URL', `${url.protocol}//`, { mend: instead });
  if (url.hostname === '' && /^(https?|rtsps?|rtmps?):$/.test(url.protocol)) {
    throw new EdgeError('EDGE_SOURCE_URL', `${url.protocol}// without a host`);
  }
  const user = credentials?.user || decode(url.username);
  const password = credentials?.user ? (credentials.password ?? '') : credentials?.password || decode(url.password);
  url.username = '';
  url.password = '';
  url.hash = '';
  const http = /^https?:$/.test(url.protocol) && !VIDEO_PATH.test(url.pathname);
  return { kind: http ? 'http' : 'stream', url, credentials: user === '' ? null : { user, password } };
}

/** What a camera is called where nobody named it: its host, its device, its file. */
export function addressName(address: CameraAddress): string {
  if (address.kind === 'device') return address.device.split('/').pop() ?? address.device;
  if (address.kind === 'file')
    return (
      address.path
        .split(/[\\/]/)
        .pop()
        ?.replace(/\.[^.]+$/, '') || address.path
    );
  return address.url.hostname || address.url.protocol.replace(':', '');
}

/** An address for logs, statuses and errors: no user name, no password, also not in its path and parameters. */
export function maskAddress(address: CameraAddress): string {
  if (address.kind === 'device') return address.device;
  if (address.kind === 'file') return address.path.slice(0, 300);
  return maskUrl(address.url);
}

/** True when somebody who sees the address could use it: it has a user name, or secrets of its own. */
export function hasSecrets({ url, credentials }: NetworkAddress): boolean {
  return credentials !== null || maskUrl(url) !== url.href.slice(0, 300);
}

/** The whole address, user name and password in it, percent-encoded. Never shown. */
export function urlWithCredentials({ url, credentials }: NetworkAddress): string {
  // The concat demuxer's list has its addresses in quotes.
  const href = url.href.replaceAll("'", '%27');
  if (!credentials) return href;
  const { user, password } = credentials;
  return href.replace('://', `://${encode(user)}:${encode(password)}@`);
}

/** Signs that encodeURIComponent leaves have a meaning in some parsers of addresses. */
export function encode(part: string): string {
  return encodeURIComponent(part).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

import { EdgeError } from '../../errors';
import { maskText } from '../../secrets';

export { maskUrl } from '../../secrets';

export interface Credentials {
  user: string;
  password: string;
}

/** Where a camera is, without secrets in it: those are beside it. */
export interface CameraAddress {
  url: URL;
  credentials: Credentials | null;
}

/** Schemes that are known to be cameras and not read yet, with what to do until then. */
const LATER: Record<string, string> = {
  'rtsp:': "Use the camera's snapshot or MJPEG address (often /snapshot.jpg or /video.mjpg); RTSP is not read yet",
  'rtsps:': "Use the camera's snapshot or MJPEG address; RTSP is not read yet",
  'rtmp:': "Use the camera's snapshot or MJPEG address; RTMP is not read",
  'onvif:': 'Use the snapshot address that ONVIF Device Manager shows',
  'usb:': 'USB cameras are not read yet; a program such as mjpg-streamer makes them an MJPEG address',
  'v4l2:': 'USB cameras are not read yet; a program such as mjpg-streamer makes them an MJPEG address',
  'file:': 'Play files and folders with edge-replay',
  'ws:': 'Use the http address',
  'wss:': 'Use the https address',
};

/**
 * An address as somebody typed it. A user name in it is taken out; the separate credentials win over it.
 * @throws EDGE_SOURCE_URL with a sentence that says what can be read, and never a password
 */
export function parseAddress(text: string, credentials?: Partial<Credentials>): CameraAddress {
  const typed = text.trim();
  if (typed === '')
    throw new EdgeError('EDGE_SOURCE_URL', 'none is set', { mend: 'Set the address of a snapshot or an MJPEG stream' });
  if (/^\/dev\/video/.test(typed)) throw new EdgeError('EDGE_SOURCE_URL', 'a device', { mend: LATER['usb:']! });
  let url: URL;
  try {
    url = new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(typed) ? typed : `http://${typed}`);
  } catch {
    throw new EdgeError('EDGE_SOURCE_URL', maskText(typed.slice(0, 200)));
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new EdgeError('EDGE_SOURCE_URL', `${url.protocol}//`, {
      mend: LATER[url.protocol] ?? 'Only http and https can be read',
    });
  }
  const user = credentials?.user || decode(url.username);
  const password = credentials?.user ? (credentials.password ?? '') : credentials?.password || decode(url.password);
  url.username = '';
  url.password = '';
  url.hash = '';
  return { url, credentials: user === '' ? null : { user, password } };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

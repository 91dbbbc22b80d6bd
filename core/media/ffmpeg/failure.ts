import { EdgeError, type ErrorCode } from '../../errors';

/** What FFmpeg was to read, for its errors. */
export interface Subject {
  kind: 'stream' | 'device' | 'file';
  /** Its address without secrets, or its path. */
  shown: string;
  /** Texts that must appear nowhere, however they are encoded. */
  secrets: readonly string[];
}

interface Cause {
  pattern: RegExp;
  code: ErrorCode;
  found: string;
  mend?: string;
  /** Trying again soon may help. */
  passes?: boolean;
}

/** FFmpeg has no error codes outside itself, only sentences; they are the same from version 4 to 8. The first that fits wins. */
const OF_STREAMS: Cause[] = [
  { pattern: /\b401\b.*unauthori[sz]ed|failed: 401\b/i, code: 'EDGE_SOURCE_CREDENTIALS', found: 'answers 401' },
  { pattern: /\b403\b.*forbidden|failed: 403\b/i, code: 'EDGE_SOURCE_CREDENTIALS', found: 'answers 403' },
  {
    pattern: /\b404\b.*not found|failed: 404\b|\b454\b session|failed: 400\b/i,
    code: 'EDGE_SOURCE_REFUSED',
    found: 'has nothing at this path',
    mend: "Look for the path in the camera's manual or settings",
  },
  {
    pattern: /\b461\b|unsupported transport|nonmatching transport/i,
    code: 'EDGE_SOURCE_REFUSED',
    found: 'does not send in this way',
    mend: 'Choose the other transport (TCP or UDP), or automatic',
  },
  {
    pattern: /\b5\d\d (internal|service|bad gateway|server)|failed: 5\d\d\b/i,
    code: 'EDGE_SOURCE_REFUSED',
    found: 'has an error of its own',
    passes: true,
  },
  { pattern: /failed: 4\d\d\b|server returned 4\d\d/i, code: 'EDGE_SOURCE_REFUSED', found: 'refuses' },
  {
    pattern: /failed to resolve|name or service not known|temporary failure in name|nodename nor servname/i,
    code: 'EDGE_SOURCE_UNREACHABLE',
    found: 'its name could not be found',
    passes: true,
  },
  { pattern: /connection refused/i, code: 'EDGE_SOURCE_UNREACHABLE', found: 'the connection was refused', passes: true },
  {
    pattern: /no route to host|network is unreachable|host is down/i,
    code: 'EDGE_SOURCE_UNREACHABLE',
    found: 'no way to the host',
    passes: true,
  },
  {
    pattern: /connection reset|broken pipe|end of file|connection closed/i,
    code: 'EDGE_SOURCE_UNREACHABLE',
    found: 'the connection broke',
    passes: true,
  },
  { pattern: /timed out|timeout/i, code: 'EDGE_SOURCE_TIMEOUT', found: 'no answer in time', passes: true },
  {
    pattern: /certificate|tls.*(fail|error)|handshake/i,
    code: 'EDGE_SOURCE_REFUSED',
    found: 'no secure connection could be made',
  },
  {
    pattern: /protocol not found|unknown protocol/i,
    code: 'EDGE_SOURCE_URL',
    found: 'this FFmpeg does not know this kind of address',
  },
];

const OF_DEVICES: Cause[] = [
  {
    pattern: /no such (file|device)|could not find video device|cannot find a (proper|device)/i,
    code: 'EDGE_DEVICE_NOT_FOUND',
    found: 'there is no such device',
    passes: true,
  },
  {
    pattern: /busy|resource temporarily|already in use/i,
    code: 'EDGE_DEVICE_BUSY',
    found: 'only one program at a time can use it',
    passes: true,
  },
  {
    pattern: /permission denied|operation not permitted/i,
    code: 'EDGE_DEVICE_PERMISSION',
    found: 'permission denied',
    mend: 'Add the user that runs Node-RED to the group "video" and start it anew; in a container, hand the device in',
  },
  { pattern: /inappropriate ioctl|not a video capture/i, code: 'EDGE_DEVICE_NOT_FOUND', found: 'this device is no camera' },
  { pattern: /unknown input format/i, code: 'EDGE_FFMPEG_FAILED', found: 'this FFmpeg was built without cameras' },
];

const OF_FILES: Cause[] = [
  { pattern: /no such file/i, code: 'EDGE_FILE_NOT_FOUND', found: 'there is no such file' },
  { pattern: /permission denied/i, code: 'EDGE_FILE_NOT_FOUND', found: 'permission denied' },
];

const OF_ALL: Cause[] = [
  {
    pattern: /option \S+ not found|unrecognized option|error splitting the argument/i,
    code: 'EDGE_FFMPEG_FAILED',
    found: 'this FFmpeg does not know an option',
  },
  {
    pattern: /invalid data found|does not contain any stream|matches no streams|could not find codec/i,
    code: 'EDGE_SOURCE_CONTENT',
    found: 'no video in it',
  },
];

const BY_KIND: Record<Subject['kind'], Cause[]> = {
  stream: [...OF_STREAMS, ...OF_ALL],
  device: [...OF_DEVICES, ...OF_ALL],
  file: [...OF_FILES, ...OF_ALL],
};

/** Milliseconds after which a source that may have come back is worth another try. */
export const SOON_MS = 1000;

/** Why FFmpeg ended, out of what it said. */
export function failure(said: string, subject: Subject, exitCode: number | undefined): EdgeError {
  const text = withoutSecrets(said, subject);
  const cause = BY_KIND[subject.kind].find(({ pattern }) => pattern.test(text));
  if (!cause) {
    return new EdgeError('EDGE_FFMPEG_FAILED', `${subject.shown}: ${lastComplaint(text)} (exit ${exitCode ?? 'by a signal'})`);
  }
  return new EdgeError(cause.code, `${subject.shown}: ${cause.found}`, {
    ...(cause.mend ? { mend: cause.mend } : {}),
    ...(cause.passes ? { retryAfter: SOON_MS } : {}),
  });
}

/** The sentence among all that FFmpeg said which tells most. */
export function lastComplaint(said: string): string {
  const lines = said.trim().split('\n');
  const last = lines.reverse().find((line) => /error|invalid|no such|denied|not |could|failed/i.test(line)) ?? lines[0] ?? '';
  return last.trim().slice(0, 200);
}

/** FFmpeg repeats addresses whole, in its own words: user names and passwords go out of all of them. */
export function withoutSecrets(said: string, { secrets, shown }: Subject): string {
  let text = said;
  for (const secret of secrets) if (secret.length > 2) text = text.replaceAll(secret, secret.includes('://') ? shown : '***');
  return text.replace(/:\/\/[^\s'"]*@/g, '://');
}

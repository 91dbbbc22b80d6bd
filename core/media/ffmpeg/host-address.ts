import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { EdgeError } from '../../errors';

/**
 * An address with its host's name replaced by its number. A static FFmpeg, such as the prebuilt one, has glibc inside and crashes
 * (SIGSEGV) when it looks up any name with the libraries of another glibc; then we do it before. Whether an FFmpeg is one shows
 * at the end of its version: "N-47683-g0e8eb07980-static".
 * Of several numbers an IPv4 one is taken: it is the kind that every camera has.
 * @throws EDGE_SOURCE_UNREACHABLE when there is no such name
 */
export async function withHostAddress(url: string): Promise<string> {
  const parts = /^([a-z][a-z0-9+.-]*:\/\/(?:[^/?#]*@)?)(\[[^\]]*\]|[^/:?#]+)(.*)$/is.exec(url);
  if (!parts) return url;
  const [, before, host, after] = parts as unknown as [string, string, string, string];
  if (host.startsWith('[') || isIP(host)) return url;
  try {
    const { address, family } = await lookup(host, { verbatim: false });
    return `${before}${family === 6 ? `[${address}]` : address}${after}`;
  } catch (cause) {
    throw new EdgeError('EDGE_SOURCE_UNREACHABLE', `${host}: its name could not be found`, { cause, retryAfter: 1000 });
  }
}

/** Whether an FFmpeg of this version cannot look up names by itself. */
export function isStatic(version: string): boolean {
  return /-static$/.test(version);
}

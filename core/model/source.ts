import { isAbsolute } from 'node:path';
import { EdgeError } from '../errors';

/** Where a model comes from, parsed from one line of text. `sha256` is that of the model file, lower-case hex. */
export type ModelSource =
  | { kind: 'catalogue'; id: string }
  | { kind: 'package'; path: string }
  | { kind: 'https'; url: string; sha256?: string }
  | { kind: 'npm'; name: string; version: string; path: string; sha256?: string }
  | { kind: 'path'; path: string };

const NPM = /^((?:@[a-z0-9][a-z0-9._~-]*\/)?[a-z0-9][a-z0-9._~-]*)@(\d+\.\d+\.\d+[0-9A-Za-z.+-]*)\/(.+)$/;

/**
 * `catalogue:ID`, `package:FILE` (inside this package), `https://...#sha256=HEX`, `npm:PACKAGE@VERSION/PATH[#sha256=HEX]`, or
 * a file or folder of this machine.
 * @throws EDGE_MODEL_NONE for an empty text, EDGE_MODEL_SOURCE with what is wrong.
 */
export function parseSource(text: string): ModelSource {
  const source = text.trim();
  if (source === '') throw new EdgeError('EDGE_MODEL_NONE');
  if (source.length > 4096 || source.includes('\0')) throw invalid('a text of at most 4096 characters', source);
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(source)?.[1]?.toLowerCase();
  // One letter before the colon is a drive of Windows.
  if (scheme === undefined || isAbsolute(source)) return { kind: 'path', path: source };
  const rest = source.slice(scheme.length + 1);
  if (scheme === 'catalogue') return { kind: 'catalogue', id: rest };
  if (scheme === 'file') return { kind: 'path', path: fileUrlPath(source) };
  if (scheme === 'package') return { kind: 'package', path: relativePath(rest, source) };
  if (scheme === 'npm') return parseNpm(rest, source);
  if (scheme === 'https') return parseHttps(source);
  if (scheme === 'http') throw invalid('https: a model fetched over http could be exchanged on the way', source);
  throw invalid('catalogue:, package:, https:, npm:, a file or a folder', source);
}

/** The source without passwords and query, for logs, errors and the dialog. */
export function showSource(source: ModelSource): string {
  if (source.kind === 'https') {
    const url = new URL(source.url);
    return `${url.protocol}//${url.host}${url.pathname}`;
  }
  if (source.kind === 'npm') return `npm:${source.name}@${source.version}/${source.path}`;
  if (source.kind === 'catalogue') return `catalogue:${source.id}`;
  return source.kind === 'package' ? `package:${source.path}` : source.path;
}

function parseNpm(rest: string, source: string): ModelSource {
  const [location, sha256] = splitHash(rest, source);
  const match = NPM.exec(location);
  if (!match) throw invalid('npm:PACKAGE@1.2.3/PATH, with a whole version', source);
  const [, name, version, path] = match as unknown as [string, string, string, string];
  return { kind: 'npm', name, version, path: relativePath(path, source), ...(sha256 ? { sha256 } : {}) };
}

function parseHttps(source: string): ModelSource {
  const [location, sha256] = splitHash(source, source);
  if (!URL.canParse(location)) throw invalid('a whole https address', source);
  return { kind: 'https', url: location, ...(sha256 ? { sha256 } : {}) };
}

function splitHash(text: string, source: string): [string, string | undefined] {
  const at = text.indexOf('#');
  if (at < 0) return [text, undefined];
  const match = /^#sha256=([0-9a-f]{64})$/i.exec(text.slice(at));
  if (!match) throw invalid('#sha256= and 64 hexadecimal digits at its end', source);
  return [text.slice(0, at), match[1]!.toLowerCase()];
}

/** Forward slashes, no leading one, no `..`: it cannot leave the package. */
function relativePath(path: string, source: string): string {
  const parts = path.split('/');
  if (path.includes('\\') || parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw invalid('a path inside the package, without ".."', source);
  }
  return path;
}

function fileUrlPath(source: string): string {
  try {
    // Not fileURLToPath: it throws on hosts and encoded slashes with sentences of its own.
    const url = new URL(source);
    if (url.host !== '') throw new Error('a host');
    return decodeURIComponent(url.pathname);
  } catch {
    throw invalid('file:///PATH', source);
  }
}

function invalid(expected: string, source: string): EdgeError {
  const shown = source.replace(/\/\/[^/@]*@/, '//').replace(/[?#].*$/, '');
  return new EdgeError('EDGE_MODEL_SOURCE', `expected ${expected}, got "${shown.slice(0, 120)}"`);
}

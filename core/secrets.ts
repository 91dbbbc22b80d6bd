/**
 * What must not be read in a log, a status or an error: user names and passwords in addresses, secrets in their parameters,
 * tokens and passwords beside their names. Text comes from cameras, brokers, FFmpeg and libraries, so nothing is assumed of it.
 */

export const HIDDEN = '***';

/** Names of parameters and headers whose value is nobody's business. */
const SECRET_NAME = /pass|pwd|pw$|token|secret|key|auth|sid|session|user|usr|login|signature|sig$|cookie/i;

/** `user=admin&password=` in the path, as cameras of many names have it. */
const SECRET_IN_PATH = /((?:pass(?:word)?|passwd|pwd|user(?:name)?|usr|token|auth|key)=)[^&/?;]*/gi;

/** Longest text that is looked through: what is said of an error fits in it, and a hostile one costs no time. */
const MOST_TEXT = 16_384;
/** Errors inside errors that are followed. */
const DEEPEST_CAUSE = 5;

/** An address as it may be shown: no user name, no password, also not in its path and parameters. */
export function maskUrl(url: URL): string {
  const shown = new URL(url);
  shown.username = '';
  shown.password = '';
  shown.pathname = shown.pathname.replace(SECRET_IN_PATH, `$1${HIDDEN}`);
  for (const name of [...shown.searchParams.keys()]) {
    if (SECRET_NAME.test(name)) shown.searchParams.set(name, HIDDEN);
  }
  return shown.href.slice(0, 300);
}

/**
 * Any text as it may be shown.
 * @param known values that are secret wherever they stand, such as a node's own password; shorter than 4 letters they are left.
 */
export function maskText(text: string, known: readonly string[] = []): string {
  let shown = text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)}…` : text;
  for (const secret of known) {
    if (secret.length < 4) continue;
    for (const form of new Set([secret, encodeURIComponent(secret)])) shown = shown.replaceAll(form, HIDDEN);
  }
  return (
    shown
      // What stands before the last @ of an address's first part; a password may hold an @ and a slash of its own.
      .replace(/\b([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s"'<>]*@/gi, `$1${HIDDEN}@`)
      .replace(/([?&;/])([\w.[\]%-]{1,64})=([^&;#\s"'<>]*)/g, (whole, mark: string, name: string) =>
        SECRET_NAME.test(name) ? `${mark}${name}=${HIDDEN}` : whole,
      )
      .replace(/\b(Digest)\s+\w+="[^"\n]*"(?:,\s*\w+=(?:"[^"\n]*"|[\w-]+))*/gi, `$1 ${HIDDEN}`)
      // A word without a digit or sign is one of a sentence: "Basic authentication is refused".
      .replace(/\b(Bearer|Basic)\s+(?=[\w.~+/=-]*[\d=_.+/])[\w.~+/=-]{6,}/gi, `$1 ${HIDDEN}`)
      .replace(
        /\b(pass(?:word|wd|phrase)?|pwd|secret|api[_-]?key|(?:access[_-]?|auth[_-]?)?token|_authToken)(["']?\s*[:=]\s*)("[^"\n]*"|'[^'\n]*'|[^\s,;&}"']+)/gi,
        `$1$2${HIDDEN}`,
      )
  );
}

/** One line of text: line breaks and other control characters become spaces, so that no name or answer forges a line of a log. */
export function oneLine(text: string, most = 1000): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, ' ').trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}

/** Take the secrets out of an error where they stand: its message, its stack, the addresses on it, and so on down its causes. */
export function maskError<T extends Error>(error: T, known: readonly string[] = []): T {
  let inner: unknown = error;
  for (let depth = 0; depth < DEEPEST_CAUSE && isObject(inner); depth++) {
    for (const [name, value] of Object.entries(Object.getOwnPropertyDescriptors(inner))) {
      if (typeof value.value !== 'string' || !(value.writable || value.configurable)) continue;
      const shown = maskText(value.value, known);
      if (shown !== value.value) Object.defineProperty(inner, name, { ...value, value: shown });
    }
    if (inner instanceof AggregateError) for (const one of inner.errors) if (one instanceof Error) maskError(one, known);
    inner = (inner as { cause?: unknown }).cause;
  }
  return error;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

import { createHash, randomBytes } from 'node:crypto';
import type { Credentials } from './address';

/** Digest algorithms of RFC 7616 (and RFC 2617's MD5, which most cameras still use). */
const HASHES: Record<string, string> = { MD5: 'md5', 'SHA-256': 'sha256', 'SHA-512-256': 'sha512-256' };
const STRENGTH = ['SHA-512-256', 'SHA-256', 'MD5'];

interface Challenge {
  scheme: string;
  parameters: Record<string, string>;
}

/**
 * Answers HTTP authentication: nothing is sent before the server asks, Digest (RFC 7616, 2617) is chosen over Basic (RFC 7617),
 * and an accepted challenge is answered in advance from then on, with the nonce counted up.
 */
export class Authorization {
  private challenge: Challenge | null = null;
  private nonceCount = 0;

  constructor(private readonly credentials: Credentials | null) {}

  /** The Authorization header for a request, undefined while the server has not asked. `target`: path and query. */
  header(method: string, target: string): string | undefined {
    if (!this.credentials || !this.challenge) return undefined;
    const { user, password } = this.credentials;
    if (this.challenge.scheme === 'basic') return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    return this.digest(method, target, this.challenge.parameters);
  }

  /**
   * Take up a 401. False when asking again cannot help: no credentials, no scheme that is known, or the same were just refused.
   * @param wwwAuthenticate every WWW-Authenticate header, joined by commas
   * @param tried whether the refused request carried an Authorization header
   */
  accept(wwwAuthenticate: string, tried: boolean): boolean {
    if (!this.credentials) return false;
    const offered = parseChallenges(wwwAuthenticate);
    const digests = offered.filter(
      ({ scheme, parameters }) => scheme === 'digest' && algorithmOf(parameters) !== null && hasUsableQop(parameters),
    );
    const best = digests.sort((a, b) => strength(a) - strength(b))[0] ?? offered.find(({ scheme }) => scheme === 'basic');
    if (!best) return false;
    // The same credentials on a fresh nonce were refused: they are wrong. Only a stale nonce is worth another try.
    const stale = best.scheme === 'digest' && /^true$/i.test(best.parameters.stale ?? '');
    if (tried && !stale) return false;
    this.challenge = best;
    this.nonceCount = 0;
    return true;
  }

  private digest(method: string, uri: string, parameters: Record<string, string>): string {
    const { user, password } = this.credentials!;
    const { name, hash, session } = algorithmOf(parameters)!;
    const { realm = '', nonce = '', opaque } = parameters;
    const digestOf = (text: string) => createHash(hash).update(text).digest('hex');
    const cnonce = randomBytes(12).toString('hex');
    this.nonceCount += 1;
    const count = this.nonceCount.toString(16).padStart(8, '0');
    const secret = digestOf(`${user}:${realm}:${password}`);
    const first = session ? digestOf(`${secret}:${nonce}:${cnonce}`) : secret;
    const second = digestOf(`${method}:${uri}`);
    const qop = parameters.qop !== undefined;
    const response = digestOf(qop ? `${first}:${nonce}:${count}:${cnonce}:auth:${second}` : `${first}:${nonce}:${second}`);
    const fields = [
      `username=${quote(user)}`,
      `realm=${quote(realm)}`,
      `nonce=${quote(nonce)}`,
      `uri=${quote(uri)}`,
      `response="${response}"`,
      ...(parameters.algorithm === undefined ? [] : [`algorithm=${name}`]),
      ...(opaque === undefined ? [] : [`opaque=${quote(opaque)}`]),
      ...(qop ? ['qop=auth', `nc=${count}`] : []),
      ...(qop || session ? [`cnonce="${cnonce}"`] : []),
    ];
    return `Digest ${fields.join(', ')}`;
  }
}

/** The challenges of WWW-Authenticate headers (RFC 9110, 11.6.1): schemes and parameters in one comma-separated list. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  // A token, then either "=value" (a parameter of the current scheme) or not (a new scheme).
  const item = /([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/g;
  for (const [, token, quoted, bare] of header.slice(0, 8192).matchAll(item)) {
    if (quoted === undefined && bare === undefined)
      challenges.push({ scheme: token!.toLowerCase(), parameters: Object.create(null) });
    else {
      const current = challenges.at(-1);
      if (current) current.parameters[token!.toLowerCase()] = quoted === undefined ? bare! : quoted.replace(/\\(.)/g, '$1');
    }
  }
  return challenges;
}

function algorithmOf(parameters: Record<string, string>): { name: string; hash: string; session: boolean } | null {
  const name = parameters.algorithm ?? 'MD5';
  const session = /-sess$/i.test(name);
  const plain = name.replace(/-sess$/i, '').toUpperCase();
  const hash = HASHES[plain];
  return hash ? { name, hash, session } : null;
}

function strength({ parameters }: Challenge): number {
  return STRENGTH.indexOf((parameters.algorithm ?? 'MD5').replace(/-sess$/i, '').toUpperCase());
}

/** Only integrity protection of the body (auth-int) is not spoken here; no camera asks for it alone. */
function hasUsableQop({ qop }: Record<string, string>): boolean {
  return qop === undefined || qop.split(',').some((choice) => choice.trim().toLowerCase() === 'auth');
}

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

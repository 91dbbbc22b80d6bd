import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { EdgeError } from '../../errors';
import { maskUrl } from '../../secrets';
import type { NetworkAddress } from './address';
import { Authorization } from './authorization';

const MAX_REDIRECTS = 5;
/** Bytes of an unwanted body (of a redirect, a refusal) that are read so that its connection can be used again. */
const MAX_DISCARDED = 64 * 1024;
const DISCARD_MS = 1000;

export interface HttpOptions {
  /** Milliseconds from the request to the headers of the answer, redirects and authentication included. */
  timeoutMs: number;
  /** Take a certificate that nobody signed. */
  insecure: boolean;
}

/** Asks one camera for pictures: keeps its connection, follows redirects, authenticates. */
export class CameraHttp {
  private readonly agents: { 'http:': HttpAgent; 'https:': HttpsAgent };
  private readonly authorization: Authorization;

  constructor(
    private readonly address: NetworkAddress,
    private readonly options: HttpOptions,
  ) {
    const kept = { keepAlive: true, maxSockets: 2, maxFreeSockets: 1 };
    this.agents = { 'http:': new HttpAgent(kept), 'https:': new HttpsAgent({ ...kept, rejectUnauthorized: !options.insecure }) };
    this.authorization = new Authorization(address.credentials);
  }

  /** The address without secrets. */
  get shown(): string {
    return maskUrl(this.address.url);
  }

  /**
   * The successful answer; its body is the caller's to read or destroy.
   * @throws EDGE_SOURCE_UNREACHABLE, EDGE_SOURCE_TIMEOUT, EDGE_SOURCE_REFUSED, EDGE_SOURCE_CREDENTIALS, EDGE_SOURCE_URL
   */
  async get(signal: AbortSignal): Promise<IncomingMessage> {
    let url = this.address.url;
    const deadline = withTimeout(signal, this.options.timeoutMs);
    try {
      for (let redirects = 0, attempts = 0; ; ) {
        // Credentials belong to the origin they were given for, whatever a redirect says.
        const trusted = url.origin === this.address.url.origin;
        const header = trusted ? this.authorization.header('GET', url.pathname + url.search) : undefined;
        const answer = await this.once(url, header, deadline.signal);
        const { statusCode = 0, headers } = answer;
        if (statusCode >= 200 && statusCode < 300 && statusCode !== 204) {
          return answer;
        }
        discard(answer);
        if (statusCode >= 300 && statusCode < 400 && headers.location) {
          redirects += 1;
          if (redirects > MAX_REDIRECTS)
            throw new EdgeError('EDGE_SOURCE_REFUSED', `more than ${MAX_REDIRECTS} redirects from ${this.shown}`);
          url = redirected(headers.location, url);
        } else if (statusCode === 401) {
          attempts += 1;
          const asked = headers['www-authenticate'] ?? '';
          // A kept challenge may have grown old, so the first refusal says nothing about the credentials.
          const known = header !== undefined && attempts > 1;
          if (!trusted || attempts > 3 || !this.authorization.accept(asked, known)) throw this.unauthorized(trusted);
        } else {
          throw this.refused(statusCode);
        }
      }
    } catch (thrown) {
      throw this.explain(thrown, deadline.timedOut(), signal);
    } finally {
      deadline.clear();
    }
  }

  /** An error of the connection as one with a code. */
  explain(thrown: unknown, timedOut: boolean, signal: AbortSignal): EdgeError {
    if (thrown instanceof EdgeError) return thrown;
    if (timedOut && !signal.aborted) {
      return new EdgeError('EDGE_SOURCE_TIMEOUT', `${this.shown}, ${this.options.timeoutMs / 1000} s`, { retryAfter: 1000 });
    }
    const { code = '', message } = thrown as NodeJS.ErrnoException;
    if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/.test(code)) {
      return new EdgeError('EDGE_SOURCE_REFUSED', `the certificate of ${this.shown} (${code})`, {
        mend: 'Tick "Accept any certificate" if the camera signs its own',
      });
    }
    return new EdgeError('EDGE_SOURCE_UNREACHABLE', `${this.shown} (${code || message})`, { cause: thrown, retryAfter: 1000 });
  }

  close(): void {
    this.agents['http:'].destroy();
    this.agents['https:'].destroy();
  }

  private once(url: URL, authorization: string | undefined, signal: AbortSignal): Promise<IncomingMessage> {
    const protocol = url.protocol as 'http:' | 'https:';
    const headers = { accept: 'image/*, multipart/x-mixed-replace', ...(authorization ? { authorization } : {}) };
    return new Promise((resolve, reject) => {
      const options = { agent: this.agents[protocol], headers, signal, maxHeaderSize: 16_384 };
      const sent = protocol === 'https:' ? httpsRequest(url, options) : httpRequest(url, options);
      sent.once('response', (answer) => {
        // A body that breaks after nobody reads it any more must not end the process.
        answer.on('error', () => {});
        resolve(answer);
      });
      sent.on('error', reject);
      sent.end();
    });
  }

  private unauthorized(trusted: boolean): EdgeError {
    const found = !trusted
      ? `${this.shown} redirects to another host that asks for a password`
      : `${this.shown}${this.address.credentials ? '' : ' asks for some, none are set'}`;
    return new EdgeError('EDGE_SOURCE_CREDENTIALS', found);
  }

  private refused(status: number): EdgeError {
    const found = `${this.shown} answers ${status}`;
    if (status === 403) return new EdgeError('EDGE_SOURCE_CREDENTIALS', found);
    return new EdgeError('EDGE_SOURCE_REFUSED', found, status >= 500 || status === 429 ? { retryAfter: 1000 } : {});
  }
}

/** A signal that also aborts after `ms`; `clear` in every case. */
export function withTimeout(signal: AbortSignal, ms: number): { signal: AbortSignal; timedOut(): boolean; clear(): void } {
  const controller = new AbortController();
  let timedOut = false;
  const abort = () => controller.abort();
  const timer = setTimeout(() => {
    timedOut = true;
    abort();
  }, ms);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort);
  return {
    signal: controller.signal,
    timedOut: () => timedOut,
    clear() {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    },
  };
}

function redirected(location: string, from: URL): URL {
  let url: URL;
  try {
    url = new URL(location, from);
  } catch {
    throw new EdgeError('EDGE_SOURCE_REFUSED', 'a redirect to something that is no address');
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new EdgeError('EDGE_SOURCE_REFUSED', `a redirect to ${url.protocol.slice(0, 20)}`);
  }
  if (from.protocol === 'https:' && url.protocol === 'http:') {
    throw new EdgeError('EDGE_SOURCE_REFUSED', 'a redirect from https to http');
  }
  url.username = '';
  url.password = '';
  return url;
}

/** Read a short unwanted body, so that its connection can be used again; drop the connection of a long or a slow one. */
function discard(answer: IncomingMessage): void {
  let bytes = 0;
  const timer = setTimeout(() => answer.destroy(), DISCARD_MS);
  timer.unref();
  answer.once('close', () => clearTimeout(timer));
  answer.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_DISCARDED) answer.destroy();
  });
}

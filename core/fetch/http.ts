import { get as getPlain, type IncomingMessage } from 'node:http';
import { get as getSecure } from 'node:https';
import { EdgeError, type ErrorCode } from '../errors';
import { type FetchCodes, MODEL_CODES } from './codes';

export interface HttpOptions {
  /** Plain http is taken only where a user configured such a registry. */
  allowPlain?: boolean;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** Most bytes of the body. */
  limit: number;
  /** Those of models by default. */
  codes?: FetchCodes;
}

export interface HttpBody {
  /** Bytes as announced; absent when the server does not say. */
  length?: number;
  chunks: AsyncIterable<Uint8Array>;
}

const MOST_REDIRECTS = 5;
/** Milliseconds without a byte after which the server is given up. */
const IDLE_MS = 30_000;

/**
 * The body behind an address. Redirects are followed five times and never to plain http; headers (a registry's token) stay
 * with the host they were meant for.
 * @throws `codes.failed`, also while the body is read.
 */
export async function openHttp(address: string, options: HttpOptions): Promise<HttpBody> {
  const { failed: code } = options.codes ?? MODEL_CODES;
  let url = new URL(address);
  let headers = options.headers ?? {};
  for (let hop = 0; hop <= MOST_REDIRECTS; hop++) {
    if (url.protocol !== 'https:' && !(url.protocol === 'http:' && options.allowPlain)) {
      throw failed(code, url, `was led to ${url.protocol.replace(':', '')}, which is not followed`);
    }
    const response = await request(code, url, headers, options.signal);
    const status = response.statusCode ?? 0;
    const location = response.headers.location;
    if (status >= 300 && status < 400 && location) {
      response.resume();
      const next = URL.canParse(location, url) ? new URL(location, url) : null;
      if (!next) throw failed(code, url, 'redirects to something that is not an address');
      if (next.host !== url.host) headers = {};
      url = next;
      continue;
    }
    if (status !== 200) {
      response.destroy();
      throw failed(code, url, `answered ${status}`, status >= 500 || status === 429 ? 60_000 : undefined);
    }
    const announced = Number(response.headers['content-length']);
    if (announced > options.limit) {
      response.destroy();
      throw failed(code, url, `announces ${announced} bytes, ${options.limit} are allowed`);
    }
    const body: HttpBody = { chunks: read(code, response, url, options.limit) };
    if (Number.isFinite(announced)) body.length = announced;
    return body;
  }
  throw failed(code, url, `redirects more than ${MOST_REDIRECTS} times`);
}

export async function readAll(body: HttpBody): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body.chunks) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function request(
  code: ErrorCode,
  url: URL,
  headers: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const get = url.protocol === 'https:' ? getSecure : getPlain;
    const sent = get(url, { headers: { 'user-agent': 'edgeloom', ...headers }, ...(signal ? { signal } : {}) }, resolve);
    sent.setTimeout(IDLE_MS, () => sent.destroy(failed(code, url, `sent nothing for ${IDLE_MS / 1000} s`, IDLE_MS)));
    sent.on('error', (error) =>
      reject(error instanceof EdgeError ? error : failed(code, url, `did not answer (${error.message})`, 60_000)),
    );
  });
}

async function* read(code: ErrorCode, response: IncomingMessage, url: URL, limit: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.byteLength;
      if (size > limit) throw failed(code, url, `sends more than ${limit} bytes`);
      yield chunk;
    }
  } catch (error) {
    throw error instanceof EdgeError
      ? error
      : failed(code, url, `broke off after ${size} bytes (${(error as Error).message})`, 60_000);
  } finally {
    response.destroy();
  }
}

function failed(code: ErrorCode, url: URL, what: string, retryAfter?: number): EdgeError {
  return new EdgeError(code, `${url.protocol}//${url.host}${url.pathname} ${what}`, {
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });
}

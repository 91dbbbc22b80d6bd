import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { NodeAPI } from 'node-red';
import { CONTENT_TYPES, type Format, formatFor, write } from '../../core/metrics';
import { Attempts } from './attempts';
import { measure } from './metrics';

const PATH = '/edgeloom/metrics';
/** A shorter token could be guessed. */
const SHORTEST_TOKEN = 16;
/** Milliseconds of writing after which the event loop gets its turn. */
const SLICE_MS = 1;

type Handler = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

/** What is remembered on Node-RED's web server: that the route is there, and whose code answers it. */
const SERVED = Symbol.for('edgeloom.metrics');
type WebServer = { get(path: string, handler: Handler): unknown; [SERVED]?: { answer: Handler } };

/**
 * Serve the palette's metrics at `<httpAdminRoot>/edgeloom/metrics`, or `<httpNodeRoot>/edgeloom/metrics` where Node-RED runs
 * without its editor; to whoever has the token and to nobody else. Without a token in the settings there is no such address.
 *
 * Every node set asks for this, since any of them may be the only one; the first makes the route, and after a reload of the
 * palette the newest code answers it.
 */
export function serveMetrics(RED: NodeAPI): void {
  const server = (RED.settings.httpAdminRoot === false ? RED.httpNode : RED.httpAdmin) as unknown as WebServer | undefined;
  if (!server) return;
  const answer = answerer(RED);
  const served = server[SERVED];
  if (served) {
    served.answer = answer;
    return;
  }
  const mine = { answer };
  server[SERVED] = mine;
  server.get(PATH, (request, response, next) => mine.answer(request, response, next));
}

function answerer(RED: NodeAPI): Handler {
  const attempts = new Attempts();
  const versions = {
    version: ownVersion(),
    node_red: (RED.settings as { version?: string }).version ?? '',
    node: process.versions.node,
  };
  let warned = false;
  return (request, response, next) => {
    const token = tokenOf(RED);
    if (token !== '' && token.length < SHORTEST_TOKEN && !warned) {
      warned = true;
      RED.log.warn(`edgeloom: metricsToken is shorter than ${SHORTEST_TOKEN} characters, so metrics stay off`);
    }
    if (token.length < SHORTEST_TOKEN) {
      next();
      return;
    }
    const from = request.socket.remoteAddress ?? '';
    const wait = attempts.wait(from);
    if (wait > 0) {
      response.setHeader('Retry-After', Math.ceil(wait / 1000));
      refuse(response, 429, 'Too many wrong tokens\n');
    } else if (!isSame(bearerOf(request), token)) {
      if (attempts.fail(from)) RED.log.warn(`edgeloom: metrics were asked for with a wrong token from ${from}`);
      response.setHeader('WWW-Authenticate', 'Bearer realm="edgeloom metrics"');
      refuse(response, 401, 'A token is needed: Authorization: Bearer ...\n');
    } else {
      void send(request, response, versions);
    }
  };
}

async function send(request: IncomingMessage, response: ServerResponse, versions: Record<string, string>): Promise<void> {
  const format = formatFor(request.headers.accept);
  response.setHeader('Content-Type', CONTENT_TYPES[format]);
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('Vary', 'Accept');
  try {
    for await (const text of inTurns(exposition(versions, format))) if (text) response.write(text);
    response.end();
  } catch (thrown) {
    // Half an answer must not look like a whole one.
    response.destroy(thrown as Error);
  }
}

function* exposition(versions: Record<string, string>, format: Format): Generator<string | undefined> {
  const steps = measure(versions);
  let step = steps.next();
  for (; !step.done; step = steps.next()) yield undefined;
  yield* write(step.value, format);
}

/** What a generator yields, with a turn of the event loop whenever it had the thread for so long. */
async function* inTurns<T>(steps: Iterable<T>): AsyncGenerator<T> {
  let since = performance.now();
  for (const step of steps) {
    yield step;
    if (performance.now() - since < SLICE_MS) continue;
    await new Promise<void>((resolve) => setImmediate(resolve));
    since = performance.now();
  }
}

function refuse(response: ServerResponse, code: number, text: string): void {
  response.statusCode = code;
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.setHeader('Cache-Control', 'no-store');
  response.end(text);
}

/** settings.js first, then the environment; read at each request, so that nothing keeps it. */
function tokenOf(RED: NodeAPI): string {
  const { edgeloom } = RED.settings as { edgeloom?: { metricsToken?: unknown } };
  const token = edgeloom?.metricsToken ?? process.env.EDGELOOM_METRICS_TOKEN;
  return typeof token === 'string' ? token.trim() : '';
}

function bearerOf(request: IncomingMessage): string {
  return /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
}

/** In a time that says nothing of how much of it was right, also not of its length. */
function isSame(given: string, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}

function ownVersion(): string {
  const path = join(__dirname, '..', '..', '..', 'package.json');
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

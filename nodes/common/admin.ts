import type { IncomingMessage } from 'node:http';
import type { NodeAPI } from 'node-red';
import { asEdgeError, EdgeError } from '../../core/errors';

/** What a handler of an admin route gets: the request, and a signal that is raised when the editor no longer waits. */
export interface AdminRequest {
  request: IncomingMessage;
  /** A JSON body as Node-RED parsed it; undefined for any other. */
  body: unknown;
  signal: AbortSignal;
}

/**
 * Serve `edgeloom/...` to the editor, behind Node-RED's own permissions. The handler gives what is answered as JSON, or throws:
 * then the answer is `{code, message}` with status 400, or 500 for what is our own fault.
 */
export function adminRoute(
  RED: NodeAPI,
  method: 'get' | 'post',
  path: string,
  permission: string,
  handle: (asked: AdminRequest) => Promise<unknown>,
): void {
  // Absent where httpAdminRoot is false: no editor, nobody who asks.
  if (!RED.httpAdmin) return;
  RED.httpAdmin[method](`/edgeloom/${path}`, RED.auth.needsPermission(permission), (request, response) => {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    handle({ request, body: request.body, signal: gone.signal }).then(
      (answer) => response.json(answer),
      (thrown: unknown) => {
        if (gone.signal.aborted) return;
        const { code, message } = asEdgeError(thrown);
        response.status(code === 'EDGE_INTERNAL' ? 500 : 400).json({ code, message });
      },
    );
  });
}

/**
 * The body of a request that is not JSON, whole. `application/octet-stream` and nothing else: a page of another origin cannot
 * send that without asking first.
 * @throws EDGE_INPUT_TYPE, EDGE_IMAGE_TOO_LARGE
 */
export async function readBytes(request: IncomingMessage, limit: number): Promise<Buffer> {
  const type = request.headers['content-type'] ?? '';
  if (!type.startsWith('application/octet-stream')) throw new EdgeError('EDGE_INPUT_TYPE', `content type "${type.slice(0, 80)}"`);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.byteLength;
    // The rest is read and let go: closing in the middle would hide the answer behind a broken connection.
    if (size <= limit) chunks.push(chunk);
    else chunks.length = 0;
  }
  if (size > limit) throw new EdgeError('EDGE_IMAGE_TOO_LARGE', `${(size / 1e6).toFixed(0)} MB, at most ${limit / 1e6} MB`);
  return Buffer.concat(chunks);
}

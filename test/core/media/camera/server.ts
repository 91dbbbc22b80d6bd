import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** A camera of which a test says how it behaves. */
export interface TestCamera {
  url: string;
  host: string;
  /** Requests as they came: path and headers. */
  requests: { path: string; headers: IncomingMessage['headers'] }[];
  sockets: Set<Socket>;
  close(): Promise<void>;
}

export async function testCamera(behave: (request: IncomingMessage, response: ServerResponse) => void): Promise<TestCamera> {
  const requests: TestCamera['requests'] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((request, response) => {
    requests.push({ path: request.url ?? '', headers: request.headers });
    behave(request, response);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `http://${host}`,
    host,
    requests,
    sockets,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** One part of a multipart stream. */
export function part(picture: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from(`--frame\r\nContent-Type: image/jpeg\r\nContent-Length: ${picture.length}\r\n\r\n`),
    picture,
    Buffer.from('\r\n'),
  ]);
}

export const MULTIPART = { 'content-type': 'multipart/x-mixed-replace; boundary=frame' };

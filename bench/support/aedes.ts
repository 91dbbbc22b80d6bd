import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';

export interface BenchBroker {
  url: string;
  port: number;
  /** Messages that clients have published. */
  published(): number;
  close(): Promise<void>;
}

/** An MQTT broker in this process, so that its CPU time and memory are nobody's. */
export async function startBroker(): Promise<BenchBroker> {
  const { Aedes } = await import('aedes');
  const aedes = await Aedes.createBroker();
  let count = 0;
  // What the broker says of itself has no client.
  aedes.on('publish', (_packet, client) => {
    if (client) count += 1;
  });
  const server = createServer(aedes.handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      aedes.close(() => server.close(() => resolve()));
    });
  return { url: `mqtt://127.0.0.1:${port}`, port, published: () => count, close };
}

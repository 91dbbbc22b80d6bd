import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';

/** An MQTT broker in this process, so that its CPU time and memory are nobody's. */
export async function startBroker(): Promise<{ port: number; close(): Promise<void> }> {
  const { Aedes } = await import('aedes');
  const aedes = await Aedes.createBroker();
  const server = createServer(aedes.handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      aedes.close(() => server.close(() => resolve()));
    });
  return { port, close };
}

import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type IPublishPacket } from 'mqtt';
import { find } from './needs';
import { until } from './until';

export { until };

/** One message as a subscriber got it. */
export interface Received {
  topic: string;
  payload: Buffer;
  packet: IPublishPacket;
}

/** A real mosquitto in a process of its own, on a free port. */
export class Mosquitto {
  private child: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    private readonly folder: string,
  ) {}

  /** @param config further lines of mosquitto.conf for its one listener; `FOLDER` stands for the folder of `files`. */
  static async start(config: string[] = ['allow_anonymous true'], files: Record<string, string> = {}): Promise<Mosquitto> {
    const folder = mkdtempSync(join(tmpdir(), 'edgeloom-mosquitto-'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    for (let tries = 1; ; tries += 1) {
      const broker = new Mosquitto(await freePort(), folder);
      const lines = [
        'max_queued_messages 10000',
        `listener ${broker.port} 127.0.0.1`,
        ...config.map((line) => line.replaceAll('FOLDER', folder)),
      ];
      // Without `user root` it would drop its rights and could no longer read the folder.
      writeFileSync(join(folder, 'mosquitto.conf'), `${['user root', ...lines].join('\n')}\n`);
      try {
        await broker.up();
        return broker;
      } catch (error) {
        await broker.kill();
        // Somebody took the port in between.
        if (tries === 5 || !/in use/i.test(String(error))) throw error;
      }
    }
  }

  async up(): Promise<void> {
    const child = spawn(find('mosquitto')!, ['-c', join(this.folder, 'mosquitto.conf')], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr!.on('data', (chunk) => {
      said += chunk;
    });
    this.child = child;
    let listens = false;
    const ended = () => child.exitCode !== null || child.signalCode !== null;
    const look = () => {
      if (ended() || listens) return;
      void answers(this.port).then((yes) => {
        listens = yes;
        setTimeout(look, 50);
      });
    };
    look();
    await until(() => listens || ended(), 'mosquitto listens');
    if (ended()) throw new Error(`mosquitto ended: ${said}`);
  }

  /** As a power cut would: no goodbye. */
  async kill(): Promise<void> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Everything published from now on; `end()` it. */
  async listen(topic = '#', options: Record<string, unknown> = {}): Promise<{ received: Received[]; end(): Promise<void> }> {
    const client = connect(`mqtt://127.0.0.1:${this.port}`, { protocolVersion: 5, reconnectPeriod: 0, ...options });
    const received: Received[] = [];
    client.on('message', (name, payload, packet) => received.push({ topic: name, payload, packet }));
    await new Promise<void>((resolve) => client.once('connect', () => resolve()));
    await client.subscribeAsync(topic, { qos: 2 });
    return { received, end: () => client.endAsync(true) };
  }
}

export interface AedesBroker {
  tcp: number;
  web: number;
  received: { topic: string; payload: string }[];
  stop(): Promise<void>;
}

/** The embedded broker of `npm start`: MQTT 3.1.1 only, also over WebSocket. */
export async function startAedes(): Promise<AedesBroker> {
  const child = fork(join(__dirname, 'aedes.mjs'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const received: AedesBroker['received'] = [];
  const ports = await new Promise<{ tcp: number; web: number }>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`aedes ended with ${code}`)));
    child.on('message', (said: { tcp: number; web: number } | { topic: string; payload: string }) => {
      if ('tcp' in said) resolve(said);
      else received.push({ topic: said.topic, payload: Buffer.from(said.payload, 'base64').toString() });
    });
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    ...ports,
    received,
    stop: () => {
      child.disconnect();
      return ended;
    },
  };
}

/** A TCP server that does to each client what a broken or hostile broker might. */
export async function brokenBroker(
  serve: (socket: Socket, connection: number) => void,
): Promise<{ port: number; stop(): Promise<void> }> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    serve(socket, connections++);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    port,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A certificate authority, a server certificate for localhost by it, and a client certificate, as PEM files in `folder`. */
export function makeCertificates(): { folder: string; path(name: string): string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'edgeloom-certificates-'));
  const path = (name: string) => join(folder, name);
  const openssl = (...parameters: string[]) => execFileSync('openssl', parameters, { cwd: folder, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=test authority');
  writeFileSync(path('names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  for (const [name, subject] of [
    ['server', '/CN=localhost'],
    ['client', '/CN=camera-1'],
  ] as const) {
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', subject);
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      'names',
      '-out',
      `${name}.pem`,
    );
  }
  return { folder, path, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/**
 * A port on which nothing listens, and below those that systems hand out themselves (32768 and up on Linux), so that neither a
 * server on port 0 nor an outgoing connection of a test beside this one takes it meanwhile.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const free = await new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    const settle = (up: boolean) => {
      socket.destroy();
      resolve(up);
    };
    socket.on('connect', () => settle(true));
    socket.on('error', () => settle(false));
  });
}

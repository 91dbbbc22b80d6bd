import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseBrokerAddress } from '../../../core/delivery/address';
import { type ConnectionOptions, type ConnectionState, MqttConnection } from '../../../core/delivery/mqtt';
import type { OutgoingMessage } from '../../../core/delivery/sender';
import { openSession } from '../../../core/delivery/session';
import { SharedConnection } from '../../../core/delivery/shared-connection';
import { type AedesBroker, brokenBroker, freePort, Mosquitto, makeCertificates, startAedes, until } from '../../support/broker';
import { describeWith } from '../../support/needs';

const QUICK = { firstMs: 30, longestMs: 120 };
let names = 0;

function options(address: string, more: Partial<ConnectionOptions> = {}): ConnectionOptions {
  names += 1;
  return { address: parseBrokerAddress(address), version: 5, clientId: `test${process.pid}-${names}`, backoff: QUICK, ...more };
}

function message(topic: string, text: string, more: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return { topic, payload: Buffer.from(text), qos: 1, retain: false, ...more };
}

/** A connection with all states it went through; closed after the test. */
const opened: MqttConnection[] = [];
function connection(given: ConnectionOptions) {
  const states: ConnectionState[] = [];
  const made = new MqttConnection(given, (state) => states.push(state));
  opened.push(made);
  const phase = (wanted: ConnectionState['phase'], since = 0) =>
    until(() => states.slice(since).some((state) => state.phase === wanted), `${wanted}; was ${JSON.stringify(states)}`);
  return { connection: made, states, phase };
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((made) => made.close()));
});

describeWith(['mosquitto'], 'over a real broker', () => {
  let broker: Mosquitto;
  const address = () => `127.0.0.1:${broker.port}`;
  beforeAll(async () => {
    broker = await Mosquitto.start();
  });
  afterAll(() => broker.stop());

  it.each([4, 5] as const)('publishes 1000 messages at every QoS, each once and in order (protocol %d)', async (version) => {
    const { received, end } = await broker.listen('count/#');
    const { connection: out, phase } = connection(options(address(), { version }));
    await phase('online');
    for (const qos of [0, 1, 2] as const) {
      await Promise.all(Array.from({ length: 1000 }, (_, n) => out.publish(message(`count/${qos}`, String(n), { qos }))));
      const got = () => received.filter(({ topic }) => topic === `count/${qos}`);
      await until(() => got().length >= 1000, `1000 of QoS ${qos}`);
      expect(got().map(({ payload }) => Number(payload))).toEqual(Array.from({ length: 1000 }, (_, n) => n));
    }
    await end();
  });

  it('sends the properties of MQTT 5 there, and none over 3.1.1', async () => {
    const { received, end } = await broker.listen('properties/#');
    const sent = message('properties/x', '{}', {
      contentType: 'application/json',
      expirySeconds: 60,
      userProperties: { site: 'north' },
    });
    for (const version of [5, 4] as const) {
      const { connection: out, phase } = connection(options(address(), { version }));
      await phase('online');
      await out.publish(sent);
    }
    await until(() => received.length === 2, 'both messages');
    expect(received[0]!.packet.properties).toMatchObject({ contentType: 'application/json', userProperties: { site: 'north' } });
    expect(received[0]!.packet.properties!.messageExpiryInterval).toBeLessThanOrEqual(60);
    expect(received[1]!.packet.properties?.contentType).toBeUndefined();
    await end();
  });

  it('says that it is there, says goodbye, and lets the broker say that it is gone', async () => {
    const { received, end } = await broker.listen('status/#');
    const say = (payload: string) => ({ topic: 'status/me', payload, qos: 1 as const, retain: true });
    const given = options(address(), { birth: say('online'), will: say('lost'), goodbye: say('offline') });
    const first = connection(given);
    await first.phase('online');
    await until(() => received.length === 1, 'birth');
    await first.connection.close();
    await until(() => received.length === 2, 'goodbye');

    const session = await openSession(given);
    (session as unknown as { client: { stream: { destroy(): void } } }).client.stream.destroy();
    await session.closed;
    await until(() => received.length === 3, 'will');
    expect(received.map(({ payload }) => String(payload))).toEqual(['online', 'offline', 'lost']);
    await end();
  });

  it('is opened with the first of its users and closed with the last', async () => {
    const shared = new SharedConnection(options(address()));
    const states: string[][] = [[], []];
    const uses = states.map((seen) => shared.use(({ phase }) => seen.push(phase)));
    await until(() => states.every((seen) => seen.includes('online')), 'both online');
    await uses[0]!.release();
    await uses[0]!.release();
    await uses[1]!.publish(message('shared', 'still'));
    await uses[1]!.release();
    await expect(uses[1]!.publish(message('shared', 'gone'))).rejects.toMatchObject({ code: 'EDGE_BROKER_OFFLINE' });
    const again = shared.use(() => {});
    await until(() => true, 'a turn');
    await again.release();
    expect(shared.users).toBe(0);
  });
});

describeWith(['mosquitto'], 'a broker that is killed', () => {
  it('gives an error at once while it is away, and is found again without end', async () => {
    const broker = await Mosquitto.start();
    try {
      const { connection: out, states, phase } = connection(options(`127.0.0.1:${broker.port}`));
      await phase('online');
      for (let round = 0; round < 3; round += 1) {
        const since = states.length;
        const onTheWay = Array.from({ length: 50 }, (_, n) => out.publish(message('a', String(n))));
        await broker.kill();
        for (const { status, reason } of (await Promise.allSettled(onTheWay)) as { status: string; reason?: unknown }[]) {
          if (status === 'rejected') expect(reason).toMatchObject({ code: 'EDGE_BROKER_OFFLINE' });
        }
        await phase('offline', since);
        await expect(out.publish(message('a', 'away'))).rejects.toMatchObject({ code: 'EDGE_BROKER_OFFLINE' });
        await until(() => states.length > since + 3, 'more than one try');
        await broker.up();
        await phase('online', since);
        await out.publish(message('a', 'back'));
      }
    } finally {
      await broker.stop();
    }
  }, 240_000);
});

describeWith(['mosquitto'], 'a broker with a password file', () => {
  let broker: Mosquitto;
  beforeAll(async () => {
    broker = await Mosquitto.start(['allow_anonymous false', 'password_file FOLDER/passwords'], {
      passwords: 'camera:hunter2\n',
    });
    await broker.kill();
    execFileSync('mosquitto_passwd', ['-U', `${(broker as unknown as { folder: string }).folder}/passwords`], { stdio: 'pipe' });
    await broker.up();
  });
  afterAll(() => broker.stop());

  it.each([4, 5] as const)('lets in who knows it and names what is wrong otherwise (protocol %d)', async (version) => {
    const given = options(`127.0.0.1:${broker.port}`, { version });
    await (await openSession({ ...given, username: 'camera', password: 'hunter2' })).end();
    for (const wrong of [{ username: 'camera', password: 'hunter3' }, {}]) {
      const refused = openSession({ ...given, ...wrong });
      await expect(refused).rejects.toMatchObject({ code: 'EDGE_BROKER_CREDENTIALS' });
      await expect(refused).rejects.not.toThrow(/hunter/);
    }
  });

  it('is asked again after a refusal', async () => {
    const { states } = connection(options(`127.0.0.1:${broker.port}`));
    await until(() => states.filter(({ phase }) => phase === 'offline').length >= 3, 'three refusals');
  });
});

describeWith(['mosquitto', 'openssl'], 'a broker with TLS', () => {
  let certificates: ReturnType<typeof makeCertificates>;
  const pem = (name: string) => readFileSync(certificates.path(name));
  let broker: Mosquitto;
  beforeAll(async () => {
    certificates = makeCertificates();
    broker = await Mosquitto.start([
      'allow_anonymous true',
      `cafile ${certificates.path('ca.pem')}`,
      `certfile ${certificates.path('server.pem')}`,
      `keyfile ${certificates.path('server.key')}`,
      'require_certificate true',
    ]);
  });
  afterAll(async () => {
    await broker.stop();
    certificates.remove();
  });
  const at = (host: string, tls: ConnectionOptions['tls']) => options(`mqtts://${host}:${broker.port}`, tls ? { tls } : {});

  it('takes a client certificate by its own authority', async () => {
    const session = await openSession(at('localhost', { ca: pem('ca.pem'), cert: pem('client.pem'), key: pem('client.key') }));
    await session.publish(message('secure', 'x'));
    await session.end();
  });

  it.each<[string, () => ConnectionOptions['tls']]>([
    ['an authority that nobody knows', () => undefined],
    ['no client certificate', () => ({ ca: pem('ca.pem') })],
    ['another name in the certificate', () => ({ ca: pem('ca.pem'), servername: 'elsewhere' })],
    ['a certificate that is none', () => ({ ca: pem('ca.pem'), cert: 'nonsense', key: 'nonsense' })],
  ])('names %s as a fault of TLS', async (_name, tls) => {
    await expect(openSession(at('localhost', tls()))).rejects.toMatchObject({ code: 'EDGE_BROKER_TLS' });
  });
});

describe('the embedded broker', () => {
  let broker: AedesBroker;
  beforeAll(async () => {
    broker = await startAedes();
  });
  afterAll(() => broker.stop());

  it.each(['tcp', 'web'] as const)('takes messages over %s', async (way) => {
    const address = way === 'tcp' ? `127.0.0.1:${broker.tcp}` : `ws://127.0.0.1:${broker.web}/mqtt`;
    const session = await openSession(options(address, { version: 4 }));
    for (const qos of [0, 1, 2] as const) await session.publish(message(`way/${way}/${qos}`, 'x', { qos }));
    await session.end();
    const topics = () => broker.received.map(({ topic }) => topic).filter((topic) => topic.startsWith(`way/${way}`));
    await until(() => topics().length === 3, 'three messages');
    // MQTT orders within a topic and QoS only (3.1.1, section 4.6), and these are three.
    expect(topics().sort()).toEqual([0, 1, 2].map((qos) => `way/${way}/${qos}`));
  });

  it('is spoken to in the version it knows', async () => {
    const session = await openSession(options(`127.0.0.1:${broker.tcp}`, { version: 'auto' }));
    await session.publish(message('older', 'x'));
    await session.end();
    await until(() => broker.received.some(({ topic }) => topic === 'older'), 'the message');
  });

  it('says that it does not speak MQTT 5', async () => {
    await expect(openSession(options(`127.0.0.1:${broker.tcp}`))).rejects.toMatchObject({
      code: 'EDGE_BROKER_REFUSED',
      message: expect.stringContaining('does not speak this version'),
    });
  });
});

describe('what is wrong is named', () => {
  it('a name that does not exist', async () => {
    await expect(openSession(options('mqtt://no-such-host.invalid'))).rejects.toMatchObject({ code: 'EDGE_BROKER_NAME' });
  });

  it('a closed port', async () => {
    await expect(openSession(options(`127.0.0.1:${await freePort()}`))).rejects.toMatchObject({
      code: 'EDGE_BROKER_UNREACHABLE',
    });
  });

  it('a port that answers nothing', async () => {
    const silent = await brokenBroker(() => {});
    const refused = openSession(options(`127.0.0.1:${silent.port}`, { connectTimeoutMs: 200 }));
    await expect(refused).rejects.toMatchObject({ code: 'EDGE_BROKER_UNREACHABLE' });
    await silent.stop();
  });

  it('a web server', async () => {
    const web = await brokenBroker((socket) => socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'));
    await expect(openSession(options(`127.0.0.1:${web.port}`))).rejects.toMatchObject({ code: 'EDGE_BROKER_PROTOCOL' });
    await expect(openSession(options(`ws://127.0.0.1:${web.port}/x`))).rejects.toMatchObject({ code: 'EDGE_BROKER_PROTOCOL' });
    await expect(openSession(options(`mqtts://127.0.0.1:${web.port}`))).rejects.toMatchObject({ code: 'EDGE_BROKER_TLS' });
    await web.stop();
  });

  it.each([
    [1, 'EDGE_BROKER_REFUSED'],
    [2, 'EDGE_BROKER_REFUSED'],
    [4, 'EDGE_BROKER_CREDENTIALS'],
    [5, 'EDGE_BROKER_CREDENTIALS'],
  ])('a refusal with code %d', async (code, expected) => {
    const refusing = await brokenBroker((socket) => socket.once('data', () => socket.write(Buffer.from([0x20, 2, 0, code]))));
    for (const version of [4, 5] as const) {
      await expect(openSession(options(`127.0.0.1:${refusing.port}`, { version }))).rejects.toMatchObject({ code: expected });
    }
    await refusing.stop();
  });
});

describe('a broker that refuses, then accepts', () => {
  it('is reached in the end', async () => {
    const moody = await brokenBroker((socket, count) =>
      socket.once('data', () => socket.write(Buffer.from([0x20, 2, 0, count < 3 ? 3 : 0]))),
    );
    const { states, phase } = connection(options(`127.0.0.1:${moody.port}`, { version: 4 }));
    await phase('online');
    expect(states.filter((state) => state.phase === 'offline')).toHaveLength(3);
    await moody.stop();
  });
});

describe('a broker that never acknowledges', () => {
  const silent = () => brokenBroker((socket) => socket.once('data', () => socket.write(Buffer.from([0x20, 2, 0, 0]))));

  it('costs each message one clear error and leads to a new connection', async () => {
    const broker = await silent();
    const {
      connection: out,
      states,
      phase,
    } = connection(options(`127.0.0.1:${broker.port}`, { version: 4, acknowledgementTimeoutMs: 150, window: 4, waiting: 3 }));
    await phase('online');
    const results = await Promise.allSettled(Array.from({ length: 10 }, (_, n) => out.publish(message('a', String(n)))));
    const codes = results.map((result) => (result as PromiseRejectedResult).reason.code as string);
    expect(codes[0]).toBe('EDGE_PUBLISH_TIMEOUT');
    // 4 in the window, 3 waiting, the rest refused at once.
    expect(codes.filter((code) => code === 'EDGE_QUEUE_FULL')).toHaveLength(3);
    expect(codes.filter((code) => code === 'EDGE_PUBLISH_TIMEOUT' || code === 'EDGE_BROKER_OFFLINE')).toHaveLength(7);
    await until(() => states.filter(({ phase: one }) => one === 'online').length > 1, 'a new connection');
    await out.close();
    await broker.stop();
  });

  it('does not hold up the end', async () => {
    const broker = await silent();
    const { connection: out, phase } = connection(options(`127.0.0.1:${broker.port}`, { version: 4 }));
    await phase('online');
    const lost = out.publish(message('a', 'x')).catch((error: { code: string }) => error.code);
    await out.close();
    expect(await lost).toMatch(/^EDGE_/);
    await broker.stop();
  });
});

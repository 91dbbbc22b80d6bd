import { parseBrokerAddress } from '../../../core/delivery/address';
import { MqttConnection } from '../../../core/delivery/mqtt';
import { brokenBroker, until } from '../../support/broker';

/** Marsaglia's xorshift32: the same bytes at every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

const CONNACK = { 4: [0x20, 2, 0, 0], 5: [0x20, 3, 0, 0, 0] };
/** Packets that a broker might send, to be damaged. */
const SAMPLES = [
  [0x40, 2, 0, 1],
  [0x40, 4, 0, 1, 0x10, 0],
  [0x50, 2, 0, 1],
  [0x70, 2, 0, 1],
  [0x90, 4, 0, 1, 0, 0],
  [0xd0, 0],
  [0xe0, 0],
  [0xe0, 2, 0x8e, 0],
  [0x30, 7, 0, 1, 0x61, 0, 0x62, 0x63, 0x64],
  [0x20, 17, 0, 0, 14, 0x21, 0, 10, 0x12, 0, 3, 0x61, 0x62, 0x63, 0x25, 1, 0x24, 1, 0],
  [0xf0, 2, 0x18, 0],
  [0x62, 2, 0, 1],
];

function attack(seed: number, version: 4 | 5): Buffer {
  const next = random(seed);
  const pick = (below: number) => Math.floor(next() * below);
  const bytes: number[] = pick(4) === 0 ? [] : [...CONNACK[version]];
  for (let packet = 0; packet < 6; packet += 1) {
    const sample = [...SAMPLES[pick(SAMPLES.length)]!];
    for (let mutation = pick(4); mutation > 0; mutation -= 1) {
      const kind = pick(4);
      if (kind === 0) sample[pick(sample.length)] = pick(256);
      else if (kind === 1) sample.splice(pick(sample.length), 1);
      else if (kind === 2) sample.splice(pick(sample.length + 1), 0, pick(256));
      else sample.push(...Array.from({ length: pick(40) }, () => pick(256)));
    }
    bytes.push(...sample);
  }
  return Buffer.from(bytes);
}

const faults: unknown[] = [];
const note = (fault: unknown) => faults.push(fault);
beforeAll(() => {
  process.on('uncaughtException', note).on('unhandledRejection', note);
});
afterAll(() => {
  process.off('uncaughtException', note).off('unhandledRejection', note);
});

describe.each([4, 5] as const)('a hostile broker (protocol %d)', (version) => {
  const ROUNDS = 1500;

  it(`cannot end the process with ${ROUNDS} damaged streams, whole or in pieces`, async () => {
    let served = 0;
    const hostile = await brokenBroker((socket, count) => {
      served = count + 1;
      socket.once('data', () => {
        const bytes = attack(count + 1, version);
        if (count % 3 === 0) for (const byte of bytes) socket.write(Buffer.of(byte));
        else socket.write(bytes);
        socket.end();
      });
    });
    const connections = Array.from(
      { length: 20 },
      (_, n) =>
        new MqttConnection(
          {
            address: parseBrokerAddress(`127.0.0.1:${hostile.port}`),
            version,
            clientId: `victim${n}`,
            backoff: { firstMs: 1, longestMs: 2 },
            acknowledgementTimeoutMs: 1000,
          },
          // Something on the way, so that acknowledgements have something to hit.
          (state) => {
            if (state.phase !== 'online') return;
            for (const qos of [0, 1, 2] as const) {
              connections[n]!.publish({ topic: 'a', payload: Buffer.from('x'), qos, retain: false }).catch(() => {});
            }
          },
        ),
    );
    await until(() => served >= ROUNDS, `${ROUNDS} connections`, 240_000);
    await Promise.all(connections.map((connection) => connection.close()));
    await hostile.stop();
    expect(faults).toEqual([]);
  }, 300_000);

  it('that sends for ever without an end is cut off', async () => {
    let cut = 0;
    const endless = await brokenBroker((socket) => {
      socket.on('close', () => {
        cut += 1;
      });
      // A packet that claims 200 MB.
      socket.once('data', () => socket.write(Buffer.from([...CONNACK[version], 0x40, 0xff, 0xff, 0xff, 0x5f])));
    });
    const errors: string[] = [];
    const connection = new MqttConnection(
      {
        address: parseBrokerAddress(`127.0.0.1:${endless.port}`),
        version,
        clientId: 'victim',
        backoff: { firstMs: 5, longestMs: 5 },
      },
      (state) => {
        if (state.phase === 'offline') errors.push(state.error.code);
      },
    );
    await until(() => cut >= 3, 'three cuts');
    await connection.close();
    await endless.stop();
    expect(new Set(errors)).toEqual(new Set(['EDGE_BROKER_PROTOCOL']));
  });
});

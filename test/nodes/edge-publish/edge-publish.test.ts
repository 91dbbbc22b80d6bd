import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brokenBroker, freePort, Mosquitto, until } from '../../support/broker';
import { describeWith, itWith, SHARED } from '../../support/needs';
import { type FlowNode, NodeRed } from '../../support/node-red';

const RESULT = {
  schema: 'edgeloom/detections/1',
  model: 'demo@1',
  image: { width: 640, height: 480 },
  detections: [{ label: 'person', score: 0.9, box: { x: 1, y: 2, width: 30, height: 40 } }],
};

function flow(port: number, publish: Record<string, unknown> = {}, broker: Record<string, unknown> = {}): FlowNode[] {
  return [
    { id: 'tab', type: 'tab', label: 'publish' },
    {
      id: 'in',
      type: 'inject',
      z: 'tab',
      x: 100,
      y: 100,
      props: [{ p: 'payload' }, { p: 'topic', vt: 'str' }],
      topic: 'gate',
      payload: JSON.stringify(RESULT),
      payloadType: 'json',
      repeat: '',
      once: false,
      wires: [['out']],
    },
    {
      id: 'out',
      type: 'edge-publish',
      z: 'tab',
      x: 300,
      y: 100,
      broker: 'broker',
      topic: 'edgeloom/{source}/{label}',
      ...publish,
    },
    { id: 'broker', type: 'edge-broker', address: `mqtt://127.0.0.1:${port}`, version: 'auto', ...broker },
    { id: 'catch', type: 'catch', z: 'tab', x: 100, y: 200, scope: null, wires: [['debug']] },
    { id: 'debug', type: 'debug', z: 'tab', x: 300, y: 200, active: true, tosidebar: true, complete: 'error', targetType: 'msg' },
  ];
}

let red: NodeRed;
beforeAll(async () => {
  red = await NodeRed.start({ env: { BROKER_ADDRESS: 'mqtt://127.0.0.1:1', BROKER_KEEPALIVE: '15' } });
}, 240_000);
afterAll(() => red.stop());
const inject = () => red.request('POST', 'inject/in');

describeWith(['mosquitto'], 'edge-publish', () => {
  it('publishes a result as JSON, and errs with a code while the broker is away', async () => {
    const broker = await Mosquitto.start();
    const { received, end } = await broker.listen('edgeloom/#');
    const comms = await red.listen('debug', 'status/#');
    await red.deploy(flow(broker.port));
    await comms.waitFor(
      ({ topic, data }) => topic === 'status/out' && JSON.stringify(data).includes('edge-publish.status.connected'),
    );
    await inject();
    await until(() => received.length === 1, 'the message');
    expect(received[0]!.topic).toBe('edgeloom/gate/person');
    expect(JSON.parse(String(received[0]!.payload))).toMatchObject({ ...RESULT, source: 'gate', sequence: 0 });

    await end();
    await broker.kill();
    await comms.waitFor(({ topic, data }) => topic === 'status/out' && JSON.stringify(data).includes('EDGE_BROKER_UNREACHABLE'));
    await inject();
    await comms.waitFor(({ topic, data }) => topic === 'debug' && JSON.stringify(data).includes('EDGE_BROKER_OFFLINE'));
    await broker.stop();
  }, 240_000);
});

describe('an edge-broker', () => {
  it('leaves no connection behind after 100 redeploys, and takes its leave each time', async () => {
    let connected = 0;
    let goodbyes = 0;
    const open = new Set<unknown>();
    const broker = await brokenBroker((socket, count) => {
      connected = count + 1;
      open.add(socket);
      socket.on('close', () => open.delete(socket));
      socket.on('data', (bytes) => {
        if (bytes[0] === 0x10) socket.write(Buffer.from([0x20, 3, 0, 0, 0]));
        if (bytes[0] === 0xe0) goodbyes += 1;
      });
    });
    for (let round = 0; round < 100; round += 1) {
      await red.deploy(flow(broker.port));
      await until(() => connected === round + 1, `connection ${round + 1}`);
    }
    await red.deploy([]);
    await until(() => open.size === 0, 'no connection');
    expect({ connected, goodbyes }).toEqual({ connected: 100, goodbyes: 100 });
    await broker.stop();
  }, 240_000);

  it('takes environment variables, and says what is wrong with its settings', async () => {
    const comms = await red.listen('debug', 'status/#');
    await red.deploy(flow(1, {}, { address: '${BROKER_ADDRESS}', keepalive: '${BROKER_KEEPALIVE}' }));
    await comms.waitFor(({ topic, data }) => topic === 'status/out' && JSON.stringify(data).includes('EDGE_BROKER_UNREACHABLE'));
    for (const [publish, broker, code] of [
      [{}, { address: 'http://x' }, 'EDGE_BROKER_URL'],
      [{}, { keepalive: 'often' }, 'EDGE_SETTING'],
      [{ topic: 'a/#' }, {}, 'EDGE_PUBLISH_TOPIC'],
      [{ broker: '' }, {}, 'EDGE_BROKER_NONE'],
    ] as const) {
      await red.deploy(flow(1, publish, broker));
      await comms.waitFor(({ topic, data }) => topic === 'status/out' && JSON.stringify(data).includes(code));
    }
  }, 240_000);
});

describe('the connection test', () => {
  const test = async (body: object) =>
    (await red.request('POST', 'edgeloom/broker/test', { body })).json() as Promise<Record<string, unknown>>;

  it('says what is wrong', async () => {
    expect(await test({ address: 'no-such-host.invalid' })).toMatchObject({ ok: false, code: 'EDGE_BROKER_NAME' });
    expect(await test({ address: `127.0.0.1:${await freePort()}` })).toMatchObject({
      ok: false,
      code: 'EDGE_BROKER_UNREACHABLE',
    });
    expect(await test({ address: 'ftp://x' })).toMatchObject({ ok: false, code: 'EDGE_BROKER_URL' });
    expect(await test({ address: '${BROKER_ADDRESS}' })).toMatchObject({ ok: false, code: 'EDGE_BROKER_UNREACHABLE' });
    expect(await test([])).toMatchObject({ ok: false, code: 'EDGE_BROKER_URL' });
  });

  it('gives a stored password only to the deployed broker and user', async () => {
    const seen: string[] = [];
    const listener = await brokenBroker((socket) =>
      socket.on('data', (bytes) => {
        seen.push(bytes.toString('latin1'));
        socket.write(Buffer.from([0x20, 3, 0, 0, 0]));
      }),
    );
    const thief = await brokenBroker((socket) => socket.on('data', (bytes) => seen.push(`stolen ${bytes.toString('latin1')}`)));
    await red.deploy(flow(listener.port, {}, { credentials: { user: 'camera', password: 'hunter2' } }));
    const asked = { id: 'broker', version: 'auto', user: 'camera', password: '__PWRD__' };
    expect(await test({ ...asked, address: `mqtt://127.0.0.1:${listener.port}` })).toMatchObject({ ok: true });
    expect(seen.join()).toContain('hunter2');
    for (const wrong of [
      { address: `mqtt://127.0.0.1:${thief.port}` },
      { address: `mqtt://127.0.0.1:${listener.port}`, user: 'other' },
    ]) {
      expect(await test({ ...asked, ...wrong })).toMatchObject({ ok: false, code: 'EDGE_SETTING' });
    }
    expect(seen.join()).not.toContain('stolen');
    expect(JSON.stringify(red.log)).not.toContain('hunter2');
    await red.deploy([]);
    await Promise.all([listener.stop(), thief.stop()]);
  });
});

describeWith(['mosquitto'], 'a picture', () => {
  itWith(['shared'], 'goes along only where it is asked for', async () => {
    const broker = await Mosquitto.start();
    const { received, end } = await broker.listen('edgeloom/#');
    const picture = join(SHARED, 'data', 'vision', 'bus.jpg');
    const bytes = readFileSync(picture).length;
    const comms = await red.listen('status/#');
    const file = {
      id: 'in',
      type: 'inject',
      z: 'tab',
      x: 90,
      y: 90,
      props: [{ p: 'topic', vt: 'str' }],
      topic: 'gate',
      wires: [['file']],
    };
    const read = {
      id: 'file',
      type: 'file in',
      z: 'tab',
      x: 90,
      y: 90,
      filename: picture,
      filenameType: 'str',
      format: '',
      wires: [['out']],
    };
    const nodes = flow(broker.port, { topic: 'edgeloom/{source}', send: 'picture', pictureWidth: '160' });
    await red.deploy([...nodes.filter(({ id }) => id !== 'in'), file, read]);
    await comms.waitFor(
      ({ topic, data }) => topic === 'status/out' && JSON.stringify(data).includes('edge-publish.status.connected'),
    );
    await inject();
    await until(() => received.length === 1, 'the picture');
    expect(received[0]!.payload.subarray(0, 3)).toEqual(Buffer.from([0xff, 0xd8, 0xff]));
    expect(received[0]!.payload.length).toBeLessThan(bytes / 5);
    await end();
    await broker.stop();
  });
});

import type { Frame } from '../../../core/message/frame';
import { MULTIPART, part, type TestCamera, testCamera } from '../../core/media/camera/server';
import { noise } from '../../core/media/pictures';
import { ROOT } from '../../support/needs';
import { NodeRed } from '../../support/node-red';
import { helper, inbox, load, redeploy, until } from '../flow';

const cameraNode = require(`${ROOT}/dist/nodes/edge-camera/edge-camera.js`);

let picture: Buffer;
let camera: TestCamera;
beforeAll(async () => {
  picture = await noise(64, 48).jpeg().toBuffer();
});

const out = { id: 'out', type: 'helper' };
const node = (more: Record<string, unknown>) => ({
  id: 'camera',
  type: 'edge-camera',
  url: camera.url,
  framesPerSecond: 50,
  wires: [['out']],
  ...more,
});
const statuses = () =>
  (helper.getNode('camera').status as unknown as { args: [{ text?: string }][] }).args.map(([shown]) => shown.text);

describe('edge-camera', () => {
  beforeEach((done) => {
    helper.startServer(done);
  });
  afterEach(async () => {
    await helper.unload();
    await new Promise<void>((resolve) => helper.stopServer(() => resolve()));
    await camera.close();
  });
  test('sends pictures with where they come from, by the stored credentials', async () => {
    camera = await testCamera((request, response) => {
      if (request.headers.authorization === `Basic ${Buffer.from('ann:geheim').toString('base64')}`) response.end(picture);
      else response.writeHead(401, { 'www-authenticate': 'Basic realm="c"' }).end();
    });
    await load(cameraNode, [node({ name: 'gate' }), out], { camera: { user: 'ann', password: 'geheim' } });
    const messages = await inbox('out').until(3);
    expect(messages[2]).toMatchObject({
      topic: 'gate',
      edge: { source: 'gate', sequence: 2 },
      payload: { kind: 'frame', width: 64 },
    });
    const edge = messages[0]!.edge as { capturedAt: number; timings: { capture: number } };
    expect(edge.timings.capture).toBeGreaterThan(0);
    expect(Math.abs(edge.capturedAt - Date.now())).toBeLessThan(60_000);
    await until(() => statuses().some((text) => /^\d+\.\d fps$/.test(text ?? '')), 'the rate');
  });

  test('on request: one picture for a message, which keeps its own properties', async () => {
    camera = await testCamera((_, response) => response.end(picture));
    await load(cameraNode, [node({ start: 'message' }), out]);
    expect(statuses()).toContain('edge-camera.status.ready');
    helper.getNode('camera').receive({ payload: '', question: 7 });
    const [message] = await inbox('out').until(1);
    expect(message).toMatchObject({ question: 7, topic: '127.0.0.1', edge: { sequence: 0 } });
    expect((message!.payload as Frame).encoding).toBe('jpeg');
    helper.getNode('camera').receive({ payload: 'start' });
    await inbox('out').until(2);
    helper.getNode('camera').receive({ payload: 'stop' });
    await until(() => statuses().includes('edge-camera.status.stopped'), 'the stop');
  });

  test('pictures that come compressed are decoded only where a part of them is asked for', async () => {
    camera = await testCamera((_, response) => response.end(picture));
    await load(cameraNode, [node({ rotation: '90', region: '0, 0, 1, 0.5', largestWidth: '24' }), out]);
    const [message] = await inbox('out').until(1);
    expect(message!.payload).toMatchObject({ encoding: 'rgb8', width: 24, height: 16 });
  });

  test('a camera that is away is an error for a catch node, and no password is in it', async () => {
    camera = await testCamera((_, response) => response.writeHead(500).end());
    const { host } = camera;
    await load(cameraNode, [
      node({ url: `http://joe:geheim@${host}/x?password=geheim` }),
      { id: 'catch', type: 'catch', scope: null, wires: [['out']] },
      out,
    ]);
    const [message] = await inbox('out').until(1);
    expect((message!.error as { code?: string }).code).toBe('EDGE_SOURCE_REFUSED');
    expect(JSON.stringify(message)).not.toContain('geheim');
    await until(() => statuses().includes('EDGE_SOURCE_REFUSED'), 'the red status');
    expect(JSON.stringify(statuses())).not.toContain('geheim');
  });

  test.each([
    ['no address', { url: '' }, 'EDGE_SOURCE_URL'],
    ['an address of another kind', { url: 'onvif://127.0.0.1/live' }, 'EDGE_SOURCE_URL'],
    ['a region outside the picture', { region: '0.5, 0, 0.6, 1' }, 'EDGE_SETTING'],
    ['a rotation that is none', { rotation: '45' }, 'EDGE_SETTING'],
    ['a decoder that is no word', { hardware: 'auto -i /etc/passwd' }, 'EDGE_SETTING'],
    ['a rate that is none', { framesPerSecond: 'often' }, 'EDGE_SETTING'],
  ])('%s is a red status, not a crash', async (_name, settings, code) => {
    camera = await testCamera((_, response) => response.end());
    await load(cameraNode, [node(settings), out]);
    await until(() => statuses().includes(code), code);
  });

  test('100 redeploys leave no socket, timer or listener behind, of snapshots, streams and hanging cameras', async () => {
    camera = await testCamera((request, response) => {
      if (request.url === '/stream') response.writeHead(200, MULTIPART).write(part(picture));
      else if (request.url === '/shot') response.end(picture);
    });
    const flow = [
      node({ id: 'a', url: `${camera.url}/stream` }),
      node({ id: 'b', url: `${camera.url}/shot` }),
      node({ id: 'c', url: `${camera.url}/hang` }),
      out,
    ];
    await load(cameraNode, [out]);
    const before = process.getActiveResourcesInfo().length;
    const placed = flow.map((entry, index) => ({ z: 'tab', x: 100, y: 40 * index, wires: [], ...entry }));
    for (let round = 0; round < 100; round++) {
      const asked = camera.requests.length;
      await redeploy(placed);
      // Stopped while they connect, and now and then once they run.
      if (round % 5 === 0) await until(() => camera.requests.length >= asked + 3, 'three cameras to be asked');
    }
    await redeploy([]);
    await until(() => camera.sockets.size === 0, 'every socket to close');
    await until(() => process.getActiveResourcesInfo().length <= before, 'resources to be released');
  });
});

test('"Show a picture" in the dialog gives a small picture or the error, to those who may deploy', async () => {
  camera = await testCamera((request, response) =>
    request.url === '/x' ? response.writeHead(404).end() : response.end(picture),
  );
  const nodeRed = await NodeRed.start({ password: 'geheim' });
  try {
    const ask = (body: unknown, token?: string) =>
      nodeRed.request('POST', 'edgeloom/camera/test', { body, ...(token ? { token } : {}) });
    const answer = await ask({ url: camera.url, kind: 'auto', credentials: {} });
    expect(await answer.json()).toMatchObject({
      width: 64,
      height: 48,
      picture: expect.stringMatching(/^data:image\/jpeg;base64,/),
    });
    const refused = await ask({ url: `${camera.url}/x`, kind: 'auto' });
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ code: 'EDGE_SOURCE_REFUSED' });
    expect((await ask({ url: camera.url }, 'wrong')).status).toBe(401);
  } finally {
    await nodeRed.stop();
    await camera.close();
  }
}, 240_000);

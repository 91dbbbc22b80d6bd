import { createServer, type Server, type Socket } from 'node:net';
import { ffmpegBelow, ffmpegWith } from '../../support/ffmpeg-processes';
import { describeWith } from '../../support/needs';
import { type FlowNode, NodeRed } from '../../support/node-red';
import { RtspServer, testPictures } from '../../support/rtsp-server';
import { until } from '../../support/until';

/** The cameras of a flow, each at its address. */
function flow(addresses: string[], more: Record<string, unknown> = {}): FlowNode[] {
  const cameras = addresses.map((url, index) => ({
    id: `camera${index}`,
    type: 'edge-camera',
    z: 'tab',
    name: `camera ${index}`,
    url,
    kind: 'auto',
    framesPerSecond: '10',
    start: 'deploy',
    timeout: '20',
    ...more,
    x: 100,
    y: 60 * index,
    wires: [[]],
  }));
  return [{ id: 'tab', type: 'tab', label: 'cameras' }, ...cameras];
}

describeWith(['ffmpeg', 'rtsp'], 'cameras in a real Node-RED', () => {
  let server: RtspServer;
  let silent: { port: number; server: Server; sockets: Set<Socket> };
  let nodeRed: NodeRed;

  beforeAll(async () => {
    server = await RtspServer.start({ mounts: { '/live': testPictures() } });
    const sockets = new Set<Socket>();
    const listening = createServer((socket) => sockets.add(socket.on('error', () => {})));
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
    silent = { port: (listening.address() as { port: number }).port, server: listening, sockets };
  }, 60_000);
  afterAll(async () => {
    await server?.kill();
    silent?.server.close();
    for (const socket of silent?.sockets ?? []) socket.destroy();
  });
  beforeEach(async () => {
    nodeRed = await NodeRed.start();
  }, 120_000);
  afterEach(() => nodeRed?.stop(), 60_000);

  const addresses = () => [server.url(), `rtsp://127.0.0.1:${silent.port}/live`];
  const left = () => [...ffmpegWith(`:${server.port}/`), ...ffmpegWith(`:${silent.port}/`)];

  /** One camera sends, the other hangs while it is opened: each has its FFmpeg. */
  async function bothRun(): Promise<void> {
    const comms = await nodeRed.listen('status/#');
    await nodeRed.deploy(flow(addresses()));
    await comms.waitFor(({ topic, data }) => topic === 'status/camera0' && (data as { fill?: string }).fill === 'green', 60_000);
    await until(() => ffmpegBelow(nodeRed.pid).length === 2, 'two FFmpeg processes', 30_000);
    comms.close();
  }

  test('20 redeploys while they connect leave no process behind', async () => {
    for (let round = 0; round < 20; round++) {
      await nodeRed.deploy(flow([...addresses(), `rtsp://127.0.0.1:${silent.port}/other`]));
      // Stopped now before FFmpeg is started, now while it asks, now while it decodes.
      await new Promise((resolve) => setTimeout(resolve, (round % 5) * 120));
      expect(ffmpegBelow(nodeRed.pid).length).toBeLessThanOrEqual(3);
    }
    await nodeRed.deploy(flow([]));
    expect(ffmpegBelow(nodeRed.pid)).toEqual([]);
    expect(left()).toEqual([]);
    expect(nodeRed.entries(['fatal']).map(({ message }) => message)).toEqual([]);
  }, 240_000);

  test.each(['SIGTERM', 'SIGINT', 'SIGKILL'] as const)(
    '%s of Node-RED leaves none either, running or connecting',
    async (signal) => {
      await bothRun();
      process.kill(nodeRed.pid, signal);
      await until(() => !nodeRed.running(), 'Node-RED to end', 30_000);
      // After SIGKILL the kernel kills them, or where it cannot they end by themselves.
      await until(() => left().length === 0, 'every FFmpeg to end', 60_000);
    },
    180_000,
  );

  test('no password in a status, a log line, an error or the list of processes', async () => {
    const guarded = await RtspServer.start({ user: 'ann', password: 'Geheim-4711', digest: true });
    try {
      const comms = await nodeRed.listen('status/#', 'debug');
      const [tab, camera] = flow([guarded.url()]) as [FlowNode, FlowNode];
      const watch = [
        { id: 'catch', type: 'catch', z: 'tab', scope: null, x: 100, y: 300, wires: [['debug']] },
        { id: 'debug', type: 'debug', z: 'tab', active: true, complete: 'true', targetType: 'full', x: 300, y: 300, wires: [] },
      ];
      const typed = (user: string, password: string) => ({ ...camera, credentials: { user, password } });
      await nodeRed.deploy([tab, typed('ann', 'Geheim-4711'), ...watch]);
      await comms.waitFor(
        ({ topic, data }) => topic === 'status/camera0' && (data as { fill?: string }).fill === 'green',
        60_000,
      );
      const commands = ffmpegBelow(nodeRed.pid).map(({ command }) => command);
      expect(commands).toHaveLength(1);
      expect(commands[0]).not.toMatch(/Geheim/);
      await nodeRed.deploy([tab, typed('ann', 'Geheim-0815'), ...watch]);
      await comms.waitFor(({ data }) => (data as { text?: string }).text === 'EDGE_SOURCE_CREDENTIALS', 60_000);
      await comms.waitFor(({ topic }) => topic === 'debug', 30_000);
      const told = JSON.stringify([comms.messages, nodeRed.log, nodeRed.printed]);
      expect(told).toContain('EDGE_SOURCE_CREDENTIALS');
      expect(told).not.toMatch(/Geheim/);
    } finally {
      await guarded.kill();
    }
  }, 180_000);

  test('a message gets a picture of the stream that runs, without a second connection', async () => {
    const [tab, camera] = flow([server.url()], { framesPerSecond: '0.01' }) as [FlowNode, FlowNode];
    const button = { id: 'ask', type: 'inject', z: 'tab', props: [{ p: 'topic', v: 'now', vt: 'str' }], repeat: '', once: false };
    const debug = {
      id: 'debug',
      type: 'debug',
      z: 'tab',
      active: true,
      complete: 'edge',
      targetType: 'msg',
      x: 300,
      y: 300,
      wires: [],
    };
    const comms = await nodeRed.listen('debug');
    await nodeRed.deploy([tab, { ...camera, wires: [['debug']] }, { ...button, x: 100, y: 300, wires: [['camera0']] }, debug]);
    const arrived = () => comms.messages.filter(({ topic }) => topic === 'debug').length;
    await until(() => arrived() === 1, 'the first picture', 60_000);
    // The next one is due in 100 s.
    await nodeRed.request('POST', 'inject/ask', { body: {} });
    await until(() => arrived() >= 2, 'the picture that was asked for', 60_000);
    expect(ffmpegBelow(nodeRed.pid)).toHaveLength(1);
    comms.close();
  }, 180_000);

  test('"Show a picture" works for a stream as it stands in the dialog', async () => {
    const body = { url: server.url(), kind: 'auto', rotation: '90', timeout: '20', credentials: {} };
    const answer = await nodeRed.request('POST', 'edgeloom/camera/test', { body });
    expect(await answer.json()).toMatchObject({
      width: 240,
      height: 320,
      picture: expect.stringMatching(/^data:image\/jpeg;base64,/),
    });
    expect(ffmpegBelow(nodeRed.pid)).toEqual([]);
  }, 60_000);
});

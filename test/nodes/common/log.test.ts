import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Node } from 'node-red';
import { EdgeError } from '../../../core/errors';
import { watchQueue } from '../../../nodes/common/drops';
import { logError, logEvent } from '../../../nodes/common/log';
import { plain } from '../../core/media/pictures';
import { COLOURS, colourDetector } from '../../core/task/models';
import { NodeRed } from '../../support/node-red';

const FORGED = 'yard\n25 Nov 12:00:00 - [info] all is well\u001b[2J';
const PASSWORD = 'hunter22secret';

describe('the log of a flow, as Node-RED writes it on the console', () => {
  let folder: string;
  let camera: Server;
  /** What the camera answers. */
  let picture: Buffer | undefined;
  let nodeRed: NodeRed;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'edgeloom-log-'));
    writeFileSync(join(folder, 'colours.onnx'), colourDetector());
    writeFileSync(join(folder, 'colours.json'), JSON.stringify({ ...COLOURS, source: undefined }));
    camera = createServer((_request, response) => {
      if (picture) response.writeHead(200, { 'content-type': 'image/jpeg' }).end(picture);
      else response.writeHead(500).end(`password=${PASSWORD}`);
    });
    await new Promise<void>((resolve) => camera.listen(0, '127.0.0.1', resolve));
    nodeRed = await NodeRed.start({ console: true });
  }, 120_000);
  afterAll(async () => {
    await nodeRed?.stop();
    camera.closeAllConnections();
    await new Promise((resolve) => camera.close(resolve));
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  it('has a line for each event with node, code and reason, and no secret and no forged line', async () => {
    const { port } = camera.address() as AddressInfo;
    const at = { z: 'tab', x: 100, y: 100, wires: [] };
    await nodeRed.deploy([
      { id: 'tab', type: 'tab', label: 'Flow' },
      { id: 'model', type: 'edge-model', name: FORGED, source: join(folder, 'colours.onnx') },
      {
        ...at,
        id: 'camera',
        type: 'edge-camera',
        name: FORGED,
        url: `http://admin:${PASSWORD}@127.0.0.1:${port}/snap.jpg?token=${PASSWORD}`,
        kind: 'snapshot',
        framesPerSecond: '20',
        start: 'deploy',
        wires: [['infer']],
      },
      { ...at, id: 'infer', type: 'edge-infer', name: 'gate', model: 'model', policy: 'wait', capacity: '1000' },
      { ...at, id: 'inject', type: 'inject', props: [{ p: 'payload' }], payload: FORGED, payloadType: 'str', wires: [['infer']] },
    ]);
    // Asks for a picture that is not one, as often as it can.
    for (let time = 0; time < 20; time++) await nodeRed.request('POST', 'inject/inject');
    await nodeRed.waitForLog(/answered 500|500/);
    picture = await plain(40, 20, '#f00').jpeg().toBuffer();
    await nodeRed.waitForLog(/^recovered: /);
    await nodeRed.waitForLog(/^model loaded: /);

    await nodeRed.waitForLog(/^The (payload|bytes|picture|file)/);

    const lines = nodeRed.printed.split('\n');
    const naming = (part: RegExp) => lines.filter((line) => part.test(line));
    const shownName = 'yard 25 Nov 12:00:00 - [info] all is well [2J';
    expect(naming(/EDGE_SOURCE_REFUSED: /)).toEqual([
      expect.stringMatching(
        / - \[error\] \[edge-camera:yard 25 Nov .*\] EDGE_SOURCE_REFUSED: The source refused the request: .*500/,
      ),
    ]);
    expect(naming(/recovered/)[0]).toContain(
      `[info] [edge-camera:${shownName}] recovered: ${/recovered: ([\d.]+ s)/.exec(nodeRed.printed)![1]} after EDGE_SOURCE_REFUSED`,
    );
    expect(naming(/model loaded/)).toEqual([
      expect.stringMatching(
        /\[info\] \[edge-model:yard .*\] model loaded: colours 3 in \d+ ms, placement \w+, onnxruntime-node [\d.]+$/,
      ),
    ]);
    // Twenty of the same are one line.
    expect(naming(/\[edge-infer:gate\]/)).toEqual([
      expect.stringMatching(/\[error\] \[edge-infer:gate\] EDGE_(IMAGE|INPUT|FILE)_\w+: /),
    ]);
    expect(naming(/^25 Nov 12:00:00/)).toEqual([]);
    expect(nodeRed.printed).not.toContain('\u001b[2J');
    expect(nodeRed.printed + JSON.stringify(nodeRed.log)).not.toContain(PASSWORD);
    // A handler of the user's, which writes JSON, still reads the code.
    expect(nodeRed.log.find(({ id, level }) => id === 'camera' && level === 'error')).toMatchObject({
      code: 'EDGE_SOURCE_REFUSED',
    });
  }, 90_000);

  it("tells which model took another's place while it ran, and why one could not", async () => {
    const since = nodeRed.log.length;
    writeFileSync(join(folder, 'other.onnx'), colourDetector());
    writeFileSync(join(folder, 'other.json'), JSON.stringify({ ...COLOURS, source: undefined, version: '4' }));
    const deploy = (model: string) =>
      nodeRed.deploy([
        { id: 'tab', type: 'tab', label: 'Flow' },
        { id: 'own', type: 'edge-model', name: 'colours', source: join(folder, model) },
        { z: 'tab', x: 100, y: 100, wires: [], id: 'user', type: 'edge-infer', name: 'gate', model: 'own' },
      ]);
    await deploy('colours.onnx');
    await nodeRed.waitForLog(/^model loaded: colours 3 /, since);
    await deploy('other.onnx');
    await nodeRed.waitForLog(/^model swapped: colours 4 in \d+ ms$/, since);
    await deploy('none.onnx');
    await nodeRed.waitForLog(/^model kept: The model could not be found: /, since);
    await nodeRed.waitForLog(/^The model could not be found: /, since);
    const said = nodeRed.log.slice(since).filter(({ id }) => id === 'own' || id === 'user');
    expect(said.map(({ id, level, code }) => [id, level, code])).toEqual([
      ['own', 'info', undefined],
      ['own', 'info', undefined],
      ['own', 'warn', undefined],
      ['user', 'error', 'EDGE_MODEL_NOT_FOUND'],
    ]);
  }, 90_000);

  it('says an outage that a Catch node takes care of as a warning, and nothing of a message that it takes care of', async () => {
    const since = nodeRed.log.length;
    const at = { z: 'tab', x: 100, y: 100, wires: [] };
    await nodeRed.deploy([
      { id: 'tab', type: 'tab', label: 'Flow' },
      { ...at, id: 'camera', type: 'edge-camera', url: 'http://127.0.0.1:1/', start: 'deploy' },
      { ...at, id: 'prepare', type: 'edge-prepare' },
      {
        ...at,
        id: 'inject',
        type: 'inject',
        props: [{ p: 'payload' }],
        payload: 'none',
        payloadType: 'str',
        wires: [['prepare']],
      },
      { ...at, id: 'catch', type: 'catch', scope: null, wires: [['debug']] },
      { ...at, id: 'debug', type: 'debug', active: true, tosidebar: true, complete: 'error.code', targetType: 'msg' },
    ]);
    const comms = await nodeRed.listen('debug');
    await nodeRed.request('POST', 'inject/inject');
    await comms.waitFor(({ topic, data }) => topic === 'debug' && /EDGE_(IMAGE|INPUT|FILE)/.test(JSON.stringify(data)));
    await nodeRed.waitForLog(/nothing|refused|answer/i, since);
    const said = nodeRed.log.slice(since).filter(({ id }) => id === 'camera' || id === 'prepare');
    expect(said).toEqual([expect.objectContaining({ level: 'warn', id: 'camera', code: 'EDGE_SOURCE_UNREACHABLE' })]);
  }, 60_000);
});

describe('what repeats', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  function speaker() {
    const lines: string[] = [];
    const write = (level: string) => (said: unknown) => void lines.push(`${level} ${String(said)}`);
    const node = Object.assign(new EventEmitter(), {
      id: 'n',
      type: 't',
      log: write('log'),
      warn: write('warn'),
      error: write('error'),
    });
    return { node: node as unknown as Node, lines };
  }

  it('is said once, then every 30 s how often it came, until it stays away', () => {
    const { node, lines } = speaker();
    const error = () => logError(node, new EdgeError('EDGE_QUEUE_FULL', '10 wait already'), false);
    for (let time = 0; time < 1000; time++) error();
    logEvent(node, 'connected', 'mqtt://10.0.0.5:1883');
    expect(lines).toEqual(['error EDGE_QUEUE_FULL: The queue is full: 10 wait already', 'log connected: mqtt://10.0.0.5:1883']);
    jest.advanceTimersByTime(30_000);
    error();
    jest.advanceTimersByTime(30_000);
    expect(lines.slice(2)).toEqual([
      'warn EDGE_QUEUE_FULL came 999 more times in the last 30 s',
      'warn EDGE_QUEUE_FULL came 1 more time in the last 30 s',
    ]);
    jest.advanceTimersByTime(60_000);
    expect(jest.getTimerCount()).toBe(0);
    error();
    expect(lines.at(-1)).toBe('error EDGE_QUEUE_FULL: The queue is full: 10 wait already');
  });

  it('says now and then how much a queue let go, and nothing when it let nothing go', () => {
    const { node, lines } = speaker();
    const stats = { in: 0, out: 0, dropped: 0, failed: 0, waiting: 0, running: 0, oldestMs: 0 };
    watchQueue(node, () => ({ ...stats }));
    Object.assign(stats, { in: 6000, out: 2000, dropped: 4000 });
    jest.advanceTimersByTime(10 * 60_000);
    jest.advanceTimersByTime(30 * 60_000);
    Object.assign(stats, { in: 6100, out: 2090, dropped: 4010 });
    jest.advanceTimersByTime(10 * 60_000);
    expect(lines).toEqual([
      'log dropped: 4000 of 6000 messages in the last 10 minutes',
      'log dropped: 10 of 100 messages in the last 10 minutes',
    ]);
    node.emit('close');
    expect(jest.getTimerCount()).toBe(0);
  });

  it('leaves no timer behind a node that is closed', () => {
    const { node } = speaker();
    logEvent(node, 'model kept', 'again');
    logEvent(node, 'model kept', 'again');
    expect(jest.getTimerCount()).toBe(1);
    node.emit('close');
    expect(jest.getTimerCount()).toBe(0);
  });

  it('is the same only where it says the same, of notes', () => {
    const { node, lines } = speaker();
    for (const note of ['no labels', 'no licence', 'no labels']) logEvent(node, 'note', note);
    expect(lines).toEqual(['warn note: no labels', 'warn note: no licence']);
  });

  it("hides the node's own password, whoever repeats it", () => {
    const { node, lines } = speaker();
    Object.assign(node, { credentials: { user: 'admin', password: PASSWORD } });
    logEvent(node, 'connected', `as admin with ${PASSWORD}`);
    expect(lines).toEqual(['log connected: as admin with ***']);
  });
});

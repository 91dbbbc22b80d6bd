import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Frame } from '../../../core/message/frame';
import { noise } from '../../core/media/pictures';
import { itWith, ROOT } from '../../support/needs';
import { helper, inbox, load, redeploy, until } from '../flow';

const replay = require(join(ROOT, 'dist', 'nodes', 'edge-replay', 'edge-replay.js'));

let folder: string;
let pictures: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'edgeloom-replay-'));
  pictures = join(folder, 'yard');
  mkdirSync(pictures);
  for (const index of [1, 2, 10])
    writeFileSync(
      join(pictures, `frame-${index}.jpg`),
      await noise(16 * index, 16)
        .jpeg()
        .toBuffer(),
    );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach((done) => {
  helper.startServer(done);
});
afterEach(async () => {
  await helper.unload();
  await new Promise<void>((resolve) => helper.stopServer(() => resolve()));
});

const node = (more: Record<string, unknown>) => ({ id: 'replay', type: 'edge-replay', wires: [['out']], ...more });
const fast = { source: 'path', pace: 'factor', factor: 100, framesPerSecond: 50 };
const out = { id: 'out', type: 'helper' };
const widths = (messages: Record<string, unknown>[]) => messages.map(({ payload }) => (payload as Frame).width);
const statuses = () =>
  (helper.getNode('replay').status as unknown as { args: [{ text?: string }][] }).args.map(([shown]) => shown.text);

describe('edge-replay', () => {
  test('plays a folder in natural order, once, and counts', async () => {
    await load(replay, [node({ ...fast, path: pictures, loop: false }), out]);
    const messages = await inbox('out').until(3);
    expect(widths(messages)).toEqual([16, 32, 160]);
    expect(messages.map(({ edge }) => (edge as { sequence: number }).sequence)).toEqual([0, 1, 2]);
    expect(messages[0]).toMatchObject({
      topic: 'yard',
      edge: { source: 'yard', timings: {} },
      payload: { kind: 'frame', encoding: 'jpeg' },
    });
    await until(() => statuses().includes('edge-replay.status.ended'), 'the end');
  });

  test('loops, and the sequence counts on', async () => {
    await load(replay, [node({ ...fast, path: pictures, loop: true, name: 'gate' }), out]);
    const messages = await inbox('out').until(7);
    expect(widths(messages.slice(0, 7))).toEqual([16, 32, 160, 16, 32, 160, 16]);
    expect(messages[6]).toMatchObject({ topic: 'gate', edge: { source: 'gate', sequence: 6 } });
  });

  test('starts, pauses, goes on and stops by message', async () => {
    await load(replay, [node({ ...fast, path: pictures, start: 'message' }), out]);
    const box = inbox('out');
    expect(box.messages).toHaveLength(0);
    helper.getNode('replay').receive({ payload: 'start' });
    await box.until(4);
    helper.getNode('replay').receive({ payload: 'pause' });
    await until(() => statuses().includes('edge-replay.status.paused'), 'the pause');
    // What was on its way may still come; then nothing does, or this would never end.
    let seen = -1;
    while (seen !== box.messages.length) {
      seen = box.messages.length;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    helper.getNode('replay').receive({ payload: 'start' });
    await box.until(seen + 3);
    // Where it was, not from the beginning.
    expect(widths(box.messages)).toEqual(box.messages.map((_, index) => [16, 32, 160][index % 3]));
    helper.getNode('replay').receive({ payload: 'stop' });
    await until(() => statuses().includes('edge-replay.status.stopped'), 'the stop');
  });

  test('as fast as the flow takes it: a slow node sets the pace and nothing is lost', async () => {
    const delay = require('@node-red/nodes/core/function/89-delay.js');
    await load(
      [replay, delay],
      [
        node({ source: 'path', path: pictures, pace: 'flow', loop: true, wires: [['slow']] }),
        { id: 'slow', type: 'delay', pauseType: 'delay', timeout: '20', timeoutUnits: 'milliseconds', wires: [['out']] },
        out,
      ],
    );
    const messages = await inbox('out').until(9);
    expect(messages.slice(0, 9).map(({ edge }) => (edge as { sequence: number }).sequence)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test.each([
    ['a missing file', { source: 'path', path: '/no/such/thing' }, 'EDGE_FILE_NOT_FOUND'],
    ['no path', { source: 'path', path: '' }, 'EDGE_SETTING'],
    ['a factor that is no number', { pace: 'factor', factor: 'fast' }, 'EDGE_SETTING'],
  ])('%s is one error with a code that a catch node sees', async (_name, settings, code) => {
    await load(replay, [node(settings), { id: 'catch', type: 'catch', scope: null, wires: [['out']] }, out]);
    const [message] = await inbox('out').until(1);
    expect((message!.error as { code?: string }).code ?? (message!.error as { message: string }).message).toContain(code);
    await until(() => statuses().includes(code), 'the red status');
  });

  test('a damaged picture is reported and the play goes on', async () => {
    const damaged = join(folder, 'damaged');
    mkdirSync(damaged, { recursive: true });
    writeFileSync(join(damaged, '1.jpg'), Buffer.from('not a picture at all'));
    writeFileSync(join(damaged, '2.jpg'), await noise(32, 16).jpeg().toBuffer());
    await load(replay, [node({ ...fast, path: damaged, loop: false }), out]);
    expect(widths(await inbox('out').until(1))).toEqual([32]);
  });

  test('100 redeploys leave no timer, file or hook behind', async () => {
    const mjpeg = join(folder, 'long.mjpeg');
    const one = await noise(64, 64).jpeg().toBuffer();
    writeFileSync(mjpeg, Buffer.concat(Array.from({ length: 200 }, () => one)));
    const flow = [
      node({ source: 'path', path: mjpeg, pace: 'flow' }),
      { ...node({ source: 'path', path: pictures, pace: 'real' }), id: 'second' },
      out,
    ];
    await load(replay, flow);
    const placed = flow.map((entry, index) => ({ z: 'tab', x: 100, y: 40 * index, wires: [], ...entry }));
    const before = process.getActiveResourcesInfo().length;
    for (let round = 0; round < 100; round++) {
      await redeploy(placed);
    }
    await helper.unload();
    await until(() => process.getActiveResourcesInfo().length <= before, 'resources to be released');
  });

  itWith(['sample'], 'without any setting, the packaged sample plays', async () => {
    await load(replay, [node({}), out]);
    const [message] = await inbox('out').until(1);
    expect(message).toMatchObject({ topic: 'person-at-desk', payload: { width: 400, height: 300, encoding: 'jpeg' } });
  });
});

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hooks } from '@node-red/util';
import { convolutionalModel } from '../../../bench/support/graph';
import { sharedHost } from '../../../core/inference/host';
import type { DetectionResult } from '../../../core/message/results';
import { plain } from '../../core/media/pictures';
import { COLOURS, colourDetector } from '../../core/task/models';
import { ROOT } from '../../support/needs';
import { beginDeploy, deploy, helper, inbox, load, until } from '../flow';

const infer = require(join(ROOT, 'dist', 'nodes', 'edge-infer', 'edge-infer.js'));
const model = require(join(ROOT, 'dist', 'nodes', 'edge-model', 'edge-model.js'));

let folder: string;
let red: Buffer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'edgeloom-redeploy-'));
  red = await plain(40, 20, '#f00').png().toBuffer();
  for (const version of ['1', '2']) writeModel(version, { version });
  writeModel('fails', { version: '3', golden: [{ input: 'red.png', expected: { detections: [] } }] });
  writeModel('slow', { version: '1', task: 'tensors', input: { kind: 'raw' } }, convolutionalModel(160, 24, 4));
});
afterAll(async () => {
  await sharedHost().close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach((done) => {
  helper.settings({ userDir: folder });
  helper.startServer(done);
});
afterEach(async () => {
  await helper.unload();
  await new Promise<void>((resolve) => helper.stopServer(() => resolve()));
  expect(hooks.has('preRoute')).toBe(false);
});

/** A folder with a model of colours, or another one, and a red picture beside it. */
function writeModel(name: string, manifest: object, bytes = colourDetector()): string {
  const to = join(folder, name);
  mkdirSync(to, { recursive: true });
  writeFileSync(join(to, 'model.onnx'), bytes);
  writeFileSync(join(to, 'model.json'), JSON.stringify({ ...COLOURS, source: undefined, ...manifest }));
  writeFileSync(join(to, 'red.png'), red);
  return to;
}

interface Changes {
  source?: string;
  infer?: Record<string, unknown>;
  model?: Record<string, unknown>;
}
const flow = ({ source = '1', infer: own = {}, model: more = {} }: Changes = {}) => [
  { id: 'm', type: 'edge-model', source: join(folder, source), config: true, ...more },
  { id: 'source', type: 'helper', wires: [['infer']] },
  { id: 'infer', type: 'edge-infer', model: 'm', policy: 'wait', capacity: '100', wires: [['out']], ...own },
  { id: 'out', type: 'helper' },
  { id: 'catch', type: 'catch', wires: [['errors']] },
  { id: 'errors', type: 'helper' },
  { id: 'complete', type: 'complete', scope: ['infer'], wires: [['completed']] },
  { id: 'completed', type: 'helper' },
];
/** Running, with the first result there. */
async function start(changes: Changes = {}) {
  await load([infer, model], flow(changes));
  const running = { results: inbox('out'), errors: inbox('errors'), completed: inbox('completed') };
  send({ payload: changes.source === 'slow' ? numbers() : red });
  await running.results.until(1);
  return running;
}
/** Through Node-RED's own way of messages, as any node does. */
const send = (message: object) => helper.getNode('source').send(message as never);
const numbers = () => new Float32Array(3 * 160 * 160).fill(0.5);
const versions = (messages: Record<string, unknown>[]) => messages.map(({ payload }) => (payload as DetectionResult).model);
const indices = (messages: Record<string, unknown>[]) => messages.map(({ index }) => index);
const codes = (messages: Record<string, unknown>[]) =>
  messages.map(({ error }) => (error as { source: object; code?: string }).code);
const sessions = () => sharedHost().stats().sessions;
const leases = () => sessions().map((session) => session.leases);
const statuses = () =>
  (helper.getNode('infer').status as unknown as { args: [{ fill?: string; text?: string }][] }).args.map(
    ([{ fill, text }]) => `${fill} ${text}`,
  );

describe('edge-infer in a deploy', () => {
  it.each(['nodes', 'full'] as const)(
    'of %s ends what was begun, takes what comes meanwhile, and reloads nothing',
    async (type) => {
      const { results, completed } = await start({ source: 'slow' });
      const [opened] = sessions();
      const emitter = helper.getNode('source');
      for (let index = 0; index < 6; index++) send({ payload: numbers(), index });
      // What a source sends after the old node has closed and before the new one stands, and what is on its way right then.
      const events = (helper as unknown as { _events: NodeJS.EventEmitter })._events;
      const meanwhile = () => emitter.send({ payload: numbers(), index: 6 } as never);
      events.once('flows:stopping', meanwhile);
      events.once('flows:stopped', () => emitter.send({ payload: numbers(), index: 7 } as never));
      events.once('flows:starting', () => emitter.send({ payload: numbers(), index: 8 } as never));
      await deploy(flow({ source: 'slow', infer: { name: 'renamed' } }), type);
      const [after, done] = type === 'full' ? [inbox('out'), inbox('completed')] : [results, completed];
      send({ payload: numbers(), index: 9 });
      const came = () => [...new Set([...indices(results.messages), ...indices(after.messages)])].filter(Number.isInteger);
      await until(() => came().length >= 10, 'every result');
      expect(came()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      await until(() => indices(done.messages).includes(9), 'the completions');
      expect(sessions()).toMatchObject([{ sha256: opened!.sha256, leases: 1 }]);
      expect(sessions()[0]!.done).toBeGreaterThan(opened!.done);
    },
  );

  it('goes over to another model without losing a message', async () => {
    const { results, errors } = await start();
    for (let index = 0; index < 5; index++) send({ payload: red, index });
    await deploy(flow({ source: '2' }), 'nodes');
    let index = 5;
    await until(() => {
      send({ payload: red, index: index++ });
      return versions(results.messages).includes('colours@2');
    }, 'the other model');
    await results.until(index + 1);
    expect(indices(results.messages).slice(1)).toEqual(Array.from({ length: index }, (_, at) => at));
    const order = versions(results.messages);
    expect(order).toEqual([...order].sort());
    expect(errors.messages).toEqual([]);
  });

  it('keeps the model before where the new one fails its golden sample, says so, and takes a good one later', async () => {
    const { results, errors } = await start();
    await deploy(flow({ source: 'fails' }), 'nodes');
    expect(codes(await errors.until(1))).toEqual(['EDGE_MODEL_GOLDEN']);
    send({ payload: red });
    await results.until(2);
    expect(versions(results.messages)).toEqual(['colours@1', 'colours@1']);
    await until(() => statuses().some((shown) => /^yellow .* EDGE_MODEL_GOLDEN$/.test(shown)), 'the status');
    await deploy(flow({ source: '2' }), 'nodes');
    await until(() => {
      send({ payload: red });
      return versions(results.messages).includes('colours@2');
    }, 'the good model');
    await until(() => /^green \d/.test(statuses().at(-1) ?? ''), 'the status');
    expect(errors.messages).toHaveLength(1);
  });

  it('reloads the model when a message says so', async () => {
    const own = writeModel('own', { version: '1' });
    const { results, errors, completed } = await start({ source: 'own' });
    const reload = (payload: string) => send({ topic: 'edgeloom/model', payload });
    writeModel('own', { version: '2' });
    reload('reload');
    await until(() => completed.messages.some(({ topic }) => topic === 'edgeloom/model'), 'the reload');
    send({ payload: red });
    await results.until(2);
    expect(versions(results.messages)).toEqual(['colours@1', 'colours@2']);

    writeFileSync(join(own, 'model.onnx'), 'damaged on the way');
    reload('reload');
    expect(codes(await errors.until(1))).toEqual(['EDGE_MODEL_INVALID']);
    reload('explode');
    expect(codes(await errors.until(2))).toEqual(['EDGE_MODEL_INVALID', 'EDGE_INPUT_TYPE']);
    send({ payload: red });
    await results.until(3);
    expect(versions(results.messages)[2]).toBe('colours@2');
  });

  it('goes on by other queue rules with what waits', async () => {
    const { results } = await start({ source: 'slow' });
    for (let index = 0; index < 8; index++) send({ payload: numbers(), index });
    await deploy(flow({ source: 'slow', infer: { capacity: '1', policy: 'drop-newest' } }), 'nodes');
    await results.until(9);
    expect(indices(results.messages).slice(1)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('takes other labels over without opening the model again', async () => {
    const { results } = await start();
    await deploy(flow({ infer: { labels: 'blue' } }), 'nodes');
    await until(() => {
      send({ payload: red });
      return results.messages.some(({ payload }) => (payload as DetectionResult).detections.length === 0);
    }, 'the other labels');
    expect(new Set(versions(results.messages))).toEqual(new Set(['colours@1']));
  });

  it('bears deploys that follow each other before the flows run', async () => {
    const { results } = await start();
    const first = helper.getNode('infer');
    for (let turn = 0; turn < 4; turn++) {
      await beginDeploy(flow({ infer: { name: `turn ${turn}` } }), 'nodes');
      send({ payload: red, index: turn });
    }
    await until(() => helper.getNode('infer') !== first && !hooks.has('preRoute'), 'the last deploy');
    send({ payload: red, index: 4 });
    await until(() => indices(results.messages).includes(4), 'the last result');
    expect(indices(results.messages).slice(1)).toEqual([0, 1, 2, 3, 4]);
    expect(leases().filter((count) => count > 0)).toEqual([1]);
  });

  it('keeps model and work inside of a subflow too', async () => {
    const within = (name: string) => [
      { id: 'm', type: 'edge-model', source: join(folder, 'slow'), config: true },
      {
        id: 'sub',
        type: 'subflow',
        name: 'sub',
        in: [{ wires: [{ id: 'infer' }] }],
        out: [{ wires: [{ id: 'infer', port: 0 }] }],
        config: true,
      },
      { id: 'infer', type: 'edge-infer', z: 'sub', model: 'm', name, policy: 'wait', capacity: '100', wires: [[]] },
      { id: 'source', type: 'helper', wires: [['instance']] },
      { id: 'instance', type: 'subflow:sub', wires: [['out']] },
      { id: 'out', type: 'helper' },
    ];
    await load([infer, model], within('before'));
    const results = inbox('out');
    send({ payload: numbers() });
    await results.until(1);
    const [before] = sessions().filter((session) => session.leases > 0);
    for (let index = 0; index < 4; index++) send({ payload: numbers(), index });
    // They reach the inner node in the next turns.
    await until(() => sessions().some(({ running }) => running > 0), 'the work to begin');
    await deploy(within('after'), 'nodes');
    await results.until(5);
    expect(indices(results.messages).slice(1)).toEqual([0, 1, 2, 3]);
    const [after] = sessions().filter((session) => session.leases > 0);
    expect(after!.done).toBeGreaterThan(before!.done);
  });

  it.each<[string, (all: Record<string, unknown>[]) => Record<string, unknown>[]]>([
    ['removed', (all) => all.filter(({ id }) => id !== 'infer' && id !== 'm')],
    ['disabled', (all) => all.map((node) => (node.id === 'infer' ? { ...node, d: true } : node))],
  ])('lets go of everything at once when it is %s', async (_what, change) => {
    await start();
    expect(leases().filter((count) => count > 0)).toEqual([1]);
    await deploy(change(flow()), 'nodes');
    await until(() => leases().every((count) => count === 0), 'the lease to be given back');
    expect(hooks.has('preRoute')).toBe(false);
  });

  it('lets go of everything when the flows are stopped', async () => {
    await start();
    await helper.unload();
    await until(() => leases().every((count) => count === 0), 'the lease to be given back');
  });
});

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sharedHost } from '../../../core/inference/host';
import type { DetectionResult } from '../../../core/message/results';
import { plain } from '../../core/media/pictures';
import { COLOURS, colourDetector } from '../../core/task/models';
import { itWith, ROOT } from '../../support/needs';
import { helper, inbox, load, until } from '../flow';

const infer = require(join(ROOT, 'dist', 'nodes', 'edge-infer', 'edge-infer.js'));
const model = require(join(ROOT, 'dist', 'nodes', 'edge-model', 'edge-model.js'));

let folder: string;
let red: Buffer;
let blue: Buffer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'edgeloom-infer-'));
  writeFileSync(join(folder, 'colours.onnx'), colourDetector());
  writeFileSync(join(folder, 'colours.json'), JSON.stringify({ ...COLOURS, source: undefined }));
  red = await plain(40, 20, '#f00').png().toBuffer();
  blue = await plain(40, 20, '#00f').png().toBuffer();
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
});

const node = (more: Record<string, unknown> = {}) => ({ id: 'infer', type: 'edge-infer', model: 'm', wires: [['out']], ...more });
const out = { id: 'out', type: 'helper' };
const watchers = [
  { id: 'catch', type: 'catch', wires: [['errors']] },
  { id: 'errors', type: 'helper' },
  { id: 'complete', type: 'complete', scope: ['infer'], wires: [['completed']] },
  { id: 'completed', type: 'helper' },
];

/** The flow with the made-up detector of colours as its model. */
async function start(more: Record<string, unknown> = {}, source = join(folder, 'colours.onnx')) {
  await load([infer, model], [{ id: 'm', type: 'edge-model', source }, node(more), out, ...watchers]);
  return { results: inbox('out'), errors: inbox('errors'), completed: inbox('completed'), infer: helper.getNode('infer') };
}
const codes = (messages: Record<string, unknown>[]) =>
  messages.map(({ error }) => (error as { source: object; code?: string }).code);
const labels = ({ payload }: Record<string, unknown>) => (payload as DetectionResult).detections.map(({ label }) => label);
const statuses = () =>
  (helper.getNode('infer').status as unknown as { args: [{ text?: string }][] }).args.map(([shown]) => shown.text);

describe('edge-infer', () => {
  it('puts the result in the place of the payload and keeps the picture and where it came from', async () => {
    const flow = await start();
    const edge = { source: 'gate', sequence: 7, capturedAt: 1_700_000_000_000, timings: { capture: 3 } };
    flow.infer.receive({ payload: red, edge, topic: 'kept' } as never);
    const [message] = await flow.results.until(1);
    expect(message).toMatchObject({
      topic: 'kept',
      payload: { schema: 'edgeloom/detections/1', model: 'colours@3', detections: [{ label: 'red' }] },
      edge: {
        source: 'gate',
        sequence: 7,
        capturedAt: 1_700_000_000_000,
        timings: {
          capture: 3,
          prepare: expect.any(Number),
          queue: expect.any(Number),
          run: expect.any(Number),
          decode: expect.any(Number),
        },
        frame: { kind: 'frame', encoding: 'png' },
      },
    });
  });

  itWith(['detector', 'sample'], 'finds the person of the packaged recording with nothing configured', async () => {
    await load(infer, [node({ model: '' }), out]);
    const results = inbox('out');
    helper.getNode('infer').receive({ payload: firstPictureOf(join(ROOT, 'dist', 'samples', 'person-at-desk.mjpeg')) });
    const [message] = await results.until(1);
    expect(labels(message!)).toContain('person');
  });

  it('keeps only the newest of what comes while the model loads, and is done with the others without an error', async () => {
    const flow = await start();
    for (let index = 0; index < 6; index++) flow.infer.receive({ payload: index < 5 ? red : blue, index } as never);
    const completed = await flow.completed.until(6);
    expect(completed).toHaveLength(6);
    expect(flow.results.messages.map((message) => message.index)).toEqual([0, 1, 5]);
    expect(labels(flow.results.messages[2]!)).toEqual(['blue']);
    expect(flow.errors.messages).toEqual([]);
    await until(() => statuses().some((text) => /^\d+(\.\d)? ms · \d+\.\d\/s · 3 dropped$/.test(text ?? '')), 'the figures');
  });

  it('answers everything in order, and refuses what finds the queue full, under "wait"', async () => {
    const flow = await start({ policy: 'wait', capacity: '2' });
    for (let index = 0; index < 6; index++) flow.infer.receive({ payload: red, index } as never);
    await flow.results.until(4);
    expect(flow.results.messages.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    expect(codes(await flow.errors.until(2))).toEqual(['EDGE_QUEUE_FULL', 'EDGE_QUEUE_FULL']);
  });

  it('fails one damaged picture of a batch alone', async () => {
    const flow = await start({ policy: 'batch', batchSize: '3', batchWait: '10000' });
    for (const payload of [red, red.subarray(0, 40), blue]) flow.infer.receive({ payload });
    await flow.results.until(2);
    expect(flow.results.messages.map(labels)).toEqual([['red'], ['blue']]);
    expect(codes(await flow.errors.until(1))).toEqual([expect.stringMatching(/^EDGE_IMAGE_/)]);
  });

  it('reports only the labels and scores that were asked for', async () => {
    const flow = await start({ labels: 'green, blue', scoreThreshold: '0.4' });
    flow.infer.receive({ payload: red });
    flow.infer.receive({ payload: blue });
    await flow.results.until(2);
    expect(flow.results.messages.map(labels)).toEqual([[], ['blue']]);
  });

  it('says what is wrong with a payload and goes on', async () => {
    const flow = await start({ policy: 'wait', capacity: '10' });
    const hostile = JSON.parse('{"__proto__": {"polluted": true}}');
    for (const payload of [undefined, '', 'no such file.jpg', 12, hostile, Buffer.from('not a picture')])
      flow.infer.receive({ payload });
    const errors = await flow.errors.until(6);
    for (const code of codes(errors)) expect(code).toMatch(/^EDGE_(INPUT|IMAGE|FILE)_/);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    flow.infer.receive({ payload: red });
    expect(labels((await flow.results.until(1))[0]!)).toEqual(['red']);
  });

  it('tries again when a model that is missing turns up', async () => {
    const late = join(folder, 'late.onnx');
    const flow = await start({ policy: 'wait' }, late);
    flow.infer.receive({ payload: red });
    expect(codes(await flow.errors.until(1))[0]).toBe('EDGE_MODEL_NOT_FOUND');
    await until(() => statuses().includes('EDGE_MODEL_NOT_FOUND'), 'the status');
    writeFileSync(late, colourDetector());
    writeFileSync(join(folder, 'late.json'), readFileSync(join(folder, 'colours.json')));
    await until(() => /^\d/.test(statuses().at(-1) ?? ''), 'the second try');
    flow.infer.receive({ payload: red });
    expect(labels((await flow.results.until(1))[0]!)).toEqual(['red']);
  }, 90_000);

  it.each([
    ['a wrong setting of its own', { capacity: 'many' }, undefined, 'EDGE_SETTING'],
    ['a model node that is not there', { model: 'gone' }, undefined, 'EDGE_MODEL_NONE'],
    ['a source that is none', {}, 'ftp://example.com/model.onnx', 'EDGE_MODEL_SOURCE'],
  ])('shows %s, and answers each message with it', async (_what, more, source, code) => {
    const flow = await start({ policy: 'wait', ...more }, source);
    await until(() => statuses().includes(code), 'the status');
    flow.infer.receive({ payload: red });
    await until(() => codes(flow.errors.messages).includes(code), 'the error');
    expect(flow.results.messages).toEqual([]);
  });

  it('closes while the model loads and messages wait', async () => {
    const flow = await start({ policy: 'wait', capacity: '10' });
    for (let index = 0; index < 5; index++) flow.infer.receive({ payload: red });
    await helper.unload();
    expect(flow.errors.messages).toEqual([]);
  });
});

/** Pictures of an MJPEG file lie end to end: up to the first end-of-image marker. */
function firstPictureOf(path: string): Buffer {
  const bytes = readFileSync(path);
  return bytes.subarray(0, bytes.indexOf(Buffer.from([0xff, 0xd9])) + 2);
}

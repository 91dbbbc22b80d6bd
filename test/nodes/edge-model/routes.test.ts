import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { plain } from '../../core/media/pictures';
import { COLOURS, colourDetector } from '../../core/task/models';
import { itWith } from '../../support/needs';
import { NodeRed } from '../../support/node-red';

let folder: string;
let file: string;
let red: Buffer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'edgeloom-routes-'));
  file = join(folder, 'colours.onnx');
  writeFileSync(file, colourDetector());
  red = await plain(40, 20, '#f00').png().toBuffer();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the dialog would send for the made-up detector of colours. */
const settings = () => ({
  source: file,
  task: 'detection',
  head: 'ssd',
  colours: 'rgb',
  fit: 'stretch',
  mean: '0',
  scale: String(1 / 255),
  labels: COLOURS.labels.join(','),
});

describe('the admin routes of edge-model', () => {
  let nodeRed: NodeRed;
  beforeAll(async () => {
    nodeRed = await NodeRed.start({ env: { EDGELOOM_TEST_MODEL: file } });
  }, 240_000);
  afterAll(() => nodeRed?.stop(), 90_000);

  const post = async (path: string, body: unknown) => {
    const response = await nodeRed.request('POST', path, { body });
    return { status: response.status, answer: (await response.json()) as Record<string, unknown> };
  };
  const tryOn = async (line: string, picture: Uint8Array = Buffer.alloc(0), type = 'application/octet-stream') => {
    const response = await fetch(new URL('edgeloom/model/try', nodeRed.url), {
      method: 'POST',
      body: Buffer.concat([Buffer.from(line), picture]),
      headers: { 'Content-Type': type },
    });
    return { status: response.status, answer: (await response.json()) as Record<string, unknown> };
  };

  it('list the catalogue with licence, task and size', async () => {
    const {
      default: id,
      heads,
      models,
    } = await nodeRed.get<Record<string, unknown> & { models: object[] }>('edgeloom/catalogue');
    expect(id).toBe('coco-ssd-mobilenet-v2-int8');
    expect(heads).toEqual(
      expect.arrayContaining([
        { id: 'ssd', task: 'detection' },
        { id: 'movenet', task: 'pose' },
        { id: 'class-map', task: 'segmentation' },
      ]),
    );
    expect(models[0]).toMatchObject({ id, packaged: true, task: 'detection', licence: { commercialUse: true } });
    for (const model of models) expect(model).toMatchObject({ title: expect.any(String), licence: { id: expect.any(String) } });
  });

  it('list what can compute here, and why the rest cannot', async () => {
    const states = await nodeRed.get<{ id: string; present: boolean; reason?: string }[]>('edgeloom/providers');
    expect(states.map(({ id }) => id)).toEqual(['cpu', 'cuda', 'tensorrt', 'dml', 'coreml', 'webgpu']);
    expect(states[0]).toEqual({ id: 'cpu', present: true });
    for (const { present, reason } of states) expect(typeof reason).toBe(present ? 'undefined' : 'string');
  }, 120_000);

  it('say what a file is and what it leaves out', async () => {
    const { status, answer } = await post('edgeloom/model/inspect', { source: file });
    expect(status).toBe(200);
    expect(answer).toMatchObject({
      size: colourDetector().length,
      missing: expect.arrayContaining(['input.mean', 'input.scale']),
      graph: { inputs: [{ name: 'image', type: 'float32', shape: [1, 3, 32, 32] }] },
    });
    expect((await post('edgeloom/model/inspect', settings())).answer).toMatchObject({ missing: [] });
  });

  it('take a value from the environment as Node-RED will at deploy', async () => {
    const { answer } = await post('edgeloom/model/inspect', { ...settings(), source: `\${EDGELOOM_TEST_MODEL}` });
    expect(answer).toMatchObject({ missing: [] });
  });

  it('try a model on a picture before anything is deployed', async () => {
    const { status, answer } = await tryOn(`${JSON.stringify(settings())}\n`, red);
    expect(answer).toMatchObject({
      result: { detections: [{ label: 'red', box: { x: 20, y: 10, width: 20, height: 10 } }] },
      timings: { prepare: expect.any(Number), run: expect.any(Number) },
      session: { placement: expect.any(String), threads: expect.any(Number) },
      warnings: [],
    });
    expect(answer.sample).toBeUndefined();
    expect(status).toBe(200);
  });

  itWith(['sample'], 'try it on the packaged picture where none is sent, and send that along', async () => {
    const { answer } = await tryOn(`${JSON.stringify(settings())}\n`);
    expect(answer).toMatchObject({ result: { image: { width: 400, height: 300 } } });
    expect(answer.sample).toMatch(/^data:image\/jpeg;base64,\/9j/);
  });

  it.each<[string, () => Promise<{ status: number; answer: object }>, string]>([
    ['a file that is not there', () => post('edgeloom/model/inspect', { source: '/no/such.onnx' }), 'EDGE_MODEL_NOT_FOUND'],
    ['settings that are none', () => post('edgeloom/model/inspect', ['x']), 'EDGE_INPUT_TYPE'],
    ['a wrong setting', () => post('edgeloom/model/inspect', { source: file, threads: 'x' }), 'EDGE_SETTING'],
    ['an unfinished description', () => tryOn(`${JSON.stringify({ source: file })}\n`, red), 'EDGE_MODEL_INCOMPLETE'],
    ['a damaged picture', () => tryOn(`${JSON.stringify(settings())}\n`, red.subarray(0, 50)), 'EDGE_IMAGE_TRUNCATED'],
    ['a line that does not end', () => tryOn('{}'), 'EDGE_INPUT_TYPE'],
    ['a line that is no JSON', () => tryOn('{\n'), 'EDGE_INPUT_TYPE'],
    ['what a form of another site could send', () => tryOn('{}\n', red, 'text/plain'), 'EDGE_INPUT_TYPE'],
    ['26 MB', () => tryOn('{}\n', Buffer.alloc(26e6)), 'EDGE_IMAGE_TOO_LARGE'],
  ])('refuse %s with a code', async (_what, ask, code) => {
    const { status, answer } = await ask();
    expect({ status, answer }).toMatchObject({ status: 400, answer: { code, message: expect.stringMatching(/\w/) } });
    expect(JSON.stringify(answer)).not.toMatch(/ at .*\.js/);
  });

  it('leave nothing loaded behind', async () => {
    expect(nodeRed.running()).toBe(true);
    expect(nodeRed.entries(['fatal', 'error'])).toEqual([]);
  });
});

describe('the admin routes of edge-model, with adminAuth on', () => {
  let nodeRed: NodeRed;
  beforeAll(async () => {
    nodeRed = await NodeRed.start({ password: 'a long password' });
  }, 240_000);
  afterAll(() => nodeRed?.stop(), 90_000);

  it.each([
    ['GET', 'edgeloom/catalogue'],
    ['POST', 'edgeloom/model/inspect'],
    ['POST', 'edgeloom/model/try'],
  ])('refuse %s %s without permission', async (method, path) => {
    const response = await nodeRed.request(method, path, { token: 'wrong', ...(method === 'POST' ? { body: {} } : {}) });
    expect(response.status).toBe(401);
  });

  it('answer who may', async () => {
    await expect(nodeRed.get('edgeloom/catalogue')).resolves.toMatchObject({ default: expect.any(String) });
  });
});

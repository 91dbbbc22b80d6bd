import sharp from 'sharp';
import type { Frame } from '../../../core/message/frame';
import { type Tensor, tensorValue } from '../../../core/message/tensor';
import { noise, quarters } from '../../core/media/pictures';
import { ROOT } from '../../support/needs';
import { helper, inbox, load, until } from '../flow';

const prepare = require(`${ROOT}/dist/nodes/edge-prepare/edge-prepare.js`);

let jpeg: Buffer;
beforeAll(async () => {
  jpeg = await quarters(80, 40).jpeg({ quality: 95 }).toBuffer();
});
beforeEach((done) => {
  helper.startServer(done);
});
afterEach(async () => {
  await helper.unload();
  await new Promise<void>((resolve) => helper.stopServer(() => resolve()));
});

const out = { id: 'out', type: 'helper' };
const node = (more: Record<string, unknown> = {}) => ({ id: 'prepare', type: 'edge-prepare', wires: [['out']], ...more });
const send = (message: Record<string, unknown>) => helper.getNode('prepare').receive(message as never);

describe('edge-prepare', () => {
  test('without any setting: a picture as raw pixels, the message otherwise kept', async () => {
    await load(prepare, [node(), out]);
    send({ payload: jpeg, topic: 'door', question: 7 });
    const [message] = await inbox('out').until(1);
    expect(message).toMatchObject({ topic: 'door', question: 7, edge: { source: 'door', sequence: 0 } });
    expect(message!.payload as Frame).toMatchObject({ kind: 'frame', encoding: 'rgb8', width: 80, height: 40 });
    expect((message!.edge as { timings: { prepare: number } }).timings.prepare).toBeGreaterThan(0);
  });

  test('a JPEG buffer for others', async () => {
    await load(prepare, [node({ output: 'jpeg', width: '20', crop: true, cropWidth: '0.5' }), out]);
    send({ payload: jpeg });
    const [message] = await inbox('out').until(1);
    expect(await sharp(message!.payload as Buffer).metadata()).toMatchObject({ format: 'jpeg', width: 20, height: 20 });
  });

  test('a tensor made by hand, with where the picture lies and the picture itself', async () => {
    await load(prepare, [node({ output: 'tensor', width: 16, height: 16, mean: '0', scale: '1/255' }), out]);
    send({ payload: jpeg });
    const [message] = await inbox('out').until(1);
    const { shape, data } = tensorValue(message!.payload as Tensor);
    expect(shape).toEqual([1, 3, 16, 16]);
    expect(data[0]).toBeCloseTo(114 / 255, 6);
    expect(message).toMatchObject({ placement: { scaleX: 0.2, offsetY: 4 }, edge: { frame: { width: 80, encoding: 'jpeg' } } });
  });

  test("a tensor by a model's manifest", async () => {
    const input = {
      kind: 'image',
      width: 8,
      height: 8,
      layout: 'NHWC',
      colours: 'rgb',
      mean: [9],
      scale: [9],
      fit: 'stretch',
      normalisedInGraph: true,
    };
    const model = (RED: {
      nodes: { createNode(node: object, def: object): void; registerType(type: string, build: unknown): void };
    }) =>
      RED.nodes.registerType('edge-model', function (this: { manifest: unknown }, def: object) {
        RED.nodes.createNode(this, def);
        this.manifest = () => Promise.resolve({ id: 'm', input });
      });
    await load(
      [prepare, model as never],
      [node({ output: 'tensor', model: 'm' }), { id: 'm', type: 'edge-model', config: true }, out],
    );
    send({ payload: jpeg });
    const [message] = await inbox('out').until(1);
    expect(message!.payload).toMatchObject({ type: 'uint8', shape: [1, 8, 8, 3] });
  });

  test('newest only: what waits behind a slow picture is dropped and counted', async () => {
    await load(prepare, [node({ output: 'jpeg' }), out]);
    const big = await noise(1600, 1200).png().toBuffer();
    for (let index = 0; index < 6; index++) send({ payload: big, index });
    const messages = await inbox('out').until(2);
    expect(messages.map(({ index }) => index)).toEqual([0, 5]);
    const statuses = () =>
      (helper.getNode('prepare').status as unknown as { args: [{ text?: string }][] }).args.map(([shown]) => shown.text);
    await until(() => statuses().some((text) => text?.endsWith('4 dropped')), 'the count');
  });

  test.each([
    ['a number', 7, 'EDGE_INPUT_TYPE'],
    ['nothing', undefined, 'EDGE_INPUT_EMPTY'],
    ['text in a Buffer', Buffer.from('not a picture at all'), 'EDGE_IMAGE_FORMAT'],
    ['half a picture', () => jpeg.subarray(0, 400), 'EDGE_IMAGE_TRUNCATED'],
    ['a missing file', '/no/such/file.jpg', 'EDGE_FILE_NOT_FOUND'],
  ])('%s is one error with a code, and the next picture passes', async (_name, payload, code) => {
    const codes: unknown[] = [];
    await load(prepare, [
      node(),
      out,
      { id: 'catch', type: 'catch', scope: null, wires: [['errors']] },
      { id: 'errors', type: 'helper' },
    ]);
    helper.getNode('errors').on('input', (message) => codes.push((message as unknown as { error: { code?: string } }).error));
    send({ payload: typeof payload === 'function' ? payload() : payload });
    await until(() => codes.length === 1, 'the error');
    expect((codes[0] as { code?: string }).code).toBe(code);
    send({ payload: jpeg });
    await inbox('out').until(1);
    expect(codes).toHaveLength(1);
  });

  test.each([
    ['a tensor without a size', { output: 'tensor' }],
    ['a mean that is no number', { output: 'tensor', width: 8, height: 8, mean: 'grey' }],
    ['a crop outside', { crop: true, cropX: '7' }],
    ['a picture of 268 megapixels', { width: 16_384, height: 16_384 }],
  ])('%s is a red status', async (_name, settings) => {
    await load(prepare, [node(settings), out]);
    const statuses = () =>
      (helper.getNode('prepare').status as unknown as { args: [{ text?: string }][] }).args.map(([shown]) => shown.text);
    await until(() => statuses().includes('EDGE_SETTING'), 'the red status');
  });
});

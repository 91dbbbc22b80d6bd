import { join } from 'node:path';
import { Preview } from '../../../nodes/edge-preview/preview';
import { Editor } from '../../browser/editor';
import { until } from '../../support/broker';
import { describeWith, ROOT } from '../../support/needs';
import { type FlowNode, NodeRed } from '../../support/node-red';

/** The picture of the node's own example, as a data URL. */
const EXAMPLE = require(join(ROOT, 'examples', 'edge-preview', '01 - Look at a picture under the node.json')) as FlowNode[];
const PICTURE = String(EXAMPLE.find(({ name }) => name === 'a picture')!.payload);
const JPEG = Buffer.from(PICTURE.split(',')[1]!, 'base64');
const HOSTILE = '<img src=x onerror=hacked()>';
const RESULT = {
  image: { width: 160, height: 90 },
  detections: [
    { label: 'person', score: 0.91, box: { x: 10, y: 20, width: 40, height: 60 } },
    { label: HOSTILE, score: 0.5, box: { x: 80, y: 5, width: 60, height: 60 } },
    { label: 'broken', score: 1, box: { x: Number.NaN, y: 0, width: 1, height: 1 } },
  ],
};

/** One person of three joints, of which one was not seen, and one limb that leads nowhere. */
const POSES = {
  image: { width: 160, height: 90 },
  detections: [
    {
      label: 'person',
      score: 0.9,
      box: { x: 10, y: 20, width: 40, height: 60 },
      keypoints: [
        { name: 'nose', x: 20, y: 30, score: 0.9 },
        { name: 'left hip', x: 30, y: 60 },
        { name: 'left knee', x: 30, y: 70, score: 0.1 },
        { name: 'broken', x: Number.NaN, y: 70 },
      ],
    },
  ],
  skeleton: [[0, 1], [1, 2], [1, 3], [1, 9], 'x'],
};
const AREAS = {
  image: { width: 160, height: 90 },
  classes: [{ class: 1, label: 'road', share: 0.25 }],
  mask: { width: 4, height: 2, encoding: 'runs', runs: [0, 6, 1, 2] },
};

describe('the newest picture of a preview', () => {
  it('is encoded only when somebody asks, once for all who ask', async () => {
    const preview = new Preview(80, 2);
    for (let n = 0; n < 1000; n += 1) preview.put({ payload: JPEG });
    expect(preview.encoded).toBe(0);
    await Promise.all([preview.view(), preview.view(), preview.view()]);
    expect(preview.encoded).toBe(1);
  });

  it('is encoded no more often than the rate', async () => {
    const preview = new Preview(80, 2);
    preview.put({ payload: JPEG });
    await preview.view(1000);
    preview.put({ payload: JPEG });
    expect(preview.tag(1400)).toBe(preview.tag(1000));
    await preview.view(1400);
    expect(preview.encoded).toBe(1);
    await preview.view(1600);
    expect(preview.encoded).toBe(2);
    await preview.view(9000);
    expect(preview.encoded).toBe(2);
  });

  it('is scaled down, with the boxes in pixels of the source', async () => {
    const preview = new Preview(80, 2);
    preview.put({ payload: JPEG });
    const { picture, size } = await preview.view();
    expect(size).toEqual({ width: 80, height: 45 });
    expect(picture).toMatch(/^data:image\/jpeg;base64,/);
    const boxed = new Preview(80, 2);
    boxed.put({ payload: RESULT });
    expect(await boxed.view()).toMatchObject({
      size: RESULT.image,
      boxes: [{ label: 'person', x: 10 }, { label: HOSTILE }],
      text: null,
    });
  });

  it('has the joints that were seen and the limbs between them', async () => {
    const preview = new Preview(80, 2);
    preview.put({ payload: POSES });
    const { points, lines, boxes, text } = await preview.view();
    expect(points).toEqual([
      { x: 20, y: 30 },
      { x: 30, y: 60 },
    ]);
    expect(lines).toEqual([{ from: { x: 20, y: 30 }, to: { x: 30, y: 60 } }]);
    expect({ boxes: boxes.length, text }).toEqual({ boxes: 1, text: null });
  });

  it('has the areas of a segmentation, and their shares as text', async () => {
    const preview = new Preview(80, 2);
    preview.put({ payload: AREAS });
    expect(await preview.view()).toMatchObject({
      mask: { width: 4, height: 2, runs: [0, 6, 1, 2], labels: { 1: 'road' } },
      text: 'road 25.0%',
    });
    for (const mask of [{ ...AREAS.mask, width: 1e9 }, { ...AREAS.mask, runs: [0, -6] }, { ...AREAS.mask, runs: 'x' }, null]) {
      const wrong = new Preview(80, 2);
      wrong.put({ payload: { ...AREAS, mask } });
      expect((await wrong.view()).mask).toBeNull();
    }
  });

  it.each([
    [{ vector: [0.5, -0.25, 0.125, 0.1, 0.9] }, '[0.5, -0.25, 0.125, 0.1, …] 5'],
    [21.53, '21.53'],
    [false, 'false'],
    ['x'.repeat(500), `${'x'.repeat(119)}…`],
    [{ classes: [{ label: 'dog', score: 0.71234 }] }, 'dog 0.7123'],
    [{ score: 0.9, anomalous: true, deep: {} }, 'score 0.9  anomalous true'],
    [undefined, null],
  ])('is a text for %j', async (payload, text) => {
    const preview = new Preview(80, 2);
    preview.put({ payload });
    expect(await preview.view()).toMatchObject({ picture: null, text });
  });

  it('that cannot be read gives an error with a code', async () => {
    const preview = new Preview(80, 2);
    preview.put({ payload: JPEG.subarray(0, 400) });
    await expect(preview.view()).rejects.toMatchObject({ code: 'EDGE_IMAGE_TRUNCATED' });
    preview.put({ payload: Buffer.from('no picture at all') });
    await expect(preview.view(1e9)).rejects.toMatchObject({ code: 'EDGE_IMAGE_FORMAT' });
  });
});

/** A picture and hostile labels under one node, a number under another. */
function flow(): FlowNode[] {
  const inject = (id: string, payload: unknown, type: string, to: string, y: number) => ({
    id,
    type: 'inject',
    z: 'one',
    x: 100,
    y,
    props: [{ p: 'payload' }],
    payload: String(payload),
    payloadType: type,
    repeat: '',
    once: true,
    onceDelay: 0.1,
    wires: [[to]],
  });
  const preview = { type: 'edge-preview', z: 'one', active: true, width: '320', rate: '10' };
  return [
    { id: 'one', type: 'tab', label: 'one' },
    { id: 'two', type: 'tab', label: 'two' },
    inject('i1', PICTURE, 'str', 'picture', 60),
    inject('i2', JSON.stringify(RESULT), 'json', 'boxes', 320),
    inject('i3', 21.53, 'num', 'number', 560),
    inject('i4', JSON.stringify(POSES), 'json', 'poses', 660),
    inject('i5', JSON.stringify(AREAS), 'json', 'areas', 900),
    { ...preview, id: 'picture', x: 320, y: 60 },
    { ...preview, id: 'boxes', x: 320, y: 320 },
    { ...preview, id: 'poses', x: 720, y: 60 },
    { ...preview, id: 'areas', x: 720, y: 320 },
    { ...preview, id: 'number', x: 320, y: 560, width: '160' },
  ];
}

describe('a preview in Node-RED', () => {
  let red: NodeRed;
  beforeAll(async () => {
    red = await NodeRed.start({ password: 'secret' });
    await red.deploy(flow());
  }, 240_000);
  afterAll(() => red.stop());
  const ask = (id: string, headers: Record<string, string> = {}) => red.request('GET', `edgeloom/preview/${id}`, { headers });

  it('is sent once, then only its name', async () => {
    let tag = '';
    for (const end = Date.now() + 60_000; !tag && Date.now() < end; ) {
      const answer = await ask('picture');
      if (((await answer.json()) as { picture: string | null }).picture) tag = answer.headers.get('etag')!;
    }
    expect(tag).not.toBe('');
    const again = await ask('picture', { 'If-None-Match': tag });
    expect(again.status).toBe(304);
    expect((await ask('unknown')).status).toBe(204);
  });

  it('is for those who may see it', async () => {
    const stranger = await fetch(new URL('edgeloom/preview/picture', red.url));
    expect(stranger.status).toBe(401);
  });
});

describeWith(['chromium'], 'a preview on the workspace', () => {
  let red: NodeRed;
  let editor: Editor;
  const asked: string[] = [];
  beforeAll(async () => {
    red = await NodeRed.start();
    await red.deploy(flow());
    editor = await Editor.open(red.url, { theme: 'light', language: 'en-US' }, 'edge-preview');
    editor.page.on('request', (request) => {
      if (request.url().includes('edgeloom/preview')) asked.push(request.url());
    });
  }, 240_000);
  afterAll(async () => {
    await editor?.close();
    await red?.stop();
  });
  const count = (selector: string) => editor.page.locator(selector).count();
  /** The workspace redraws in a later frame, which takes its time on a busy machine. */
  const gone = (selector: string) => until(async () => (await count(selector)) === 0, `${selector} to be gone`);

  it('shows the picture, the boxes with their labels, and the number', async () => {
    await editor.page.waitForSelector('[id="picture"] .edge-preview-view image', { state: 'attached' });
    await editor.page.waitForSelector('[id="boxes"] .edge-preview-box', { state: 'attached' });
    expect(await count('[id="boxes"] .edge-preview-box')).toBe(2);
    const labels = await editor.page.locator('[id="boxes"] .edge-preview-label').allTextContents();
    expect(labels[0]).toBe('person 91%');
    expect(labels[1]).toMatch(/^<img src=x/);
    expect(await count('[id="boxes"] img')).toBe(0);
    expect(await editor.page.locator('[id="number"] .edge-preview-text').textContent()).toBe('21.53');
  });

  it('draws limbs and joints, and the areas of a segmentation in the colours of their labels', async () => {
    await editor.page.waitForSelector('[id="poses"] .edge-preview-joint', { state: 'attached' });
    expect([await count('[id="poses"] .edge-preview-joint'), await count('[id="poses"] .edge-preview-limb')]).toEqual([2, 1]);
    // In pixels of the preview, twice those of the picture.
    const limb = editor.page.locator('[id="poses"] .edge-preview-limb');
    expect(await limb.evaluate((line) => ['x1', 'y1', 'x2', 'y2'].map((name) => Number(line.getAttribute(name))))).toEqual([
      40, 60, 60, 120,
    ]);
    await editor.page.waitForSelector('[id="areas"] .edge-preview-mask', { state: 'attached' });
    const alphas = await editor.page.locator('[id="areas"] .edge-preview-mask').evaluate(async (element) => {
      const image = new Image();
      image.src = element.getAttribute('href')!;
      await image.decode();
      const canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height });
      const context = canvas.getContext('2d')!;
      context.drawImage(image, 0, 0);
      const { data } = context.getImageData(0, 0, image.width, image.height);
      return Array.from({ length: data.length / 4 }, (_, at) => data[4 * at + 3]! > 0);
    });
    expect(alphas).toEqual([false, false, false, false, false, false, true, true]);
    expect(await editor.page.locator('[id="areas"] .edge-preview-text').textContent()).toBe('road 25.0%');
    await editor.screenshot('drawn');
  });

  it('asks for nothing while another workspace is shown, and is there again afterwards', async () => {
    await editor.page.evaluate("RED.workspaces.show('two')");
    await gone('.edge-preview-view');
    asked.length = 0;
    await editor.page.waitForTimeout(1000);
    expect(asked).toEqual([]);
    await editor.page.evaluate("RED.workspaces.show('one')");
    await editor.page.waitForSelector('[id="picture"] .edge-preview-view image', { state: 'attached' });
  });

  it('folds away at its button, and back by undo', async () => {
    await editor.page.locator('[id="picture"] .red-ui-flow-node-button-button').click();
    await gone('[id="picture"] .edge-preview-view image');
    await editor.page.evaluate("RED.actions.invoke('core:undo')");
    await editor.page.waitForSelector('[id="picture"] .edge-preview-view image', { state: 'attached' });
  });

  it('goes with its node, and comes back once by undo', async () => {
    await editor.page.evaluate(
      "RED.view.select({nodes: [RED.nodes.node('picture')]}); RED.actions.invoke('core:delete-selection')",
    );
    await editor.page.waitForSelector('[id="picture"]', { state: 'detached' });
    asked.length = 0;
    await editor.page.waitForTimeout(500);
    expect(asked.filter((url) => url.endsWith('/picture'))).toEqual([]);
    await editor.page.evaluate("RED.actions.invoke('core:undo')");
    await editor.page.waitForSelector('[id="picture"] .edge-preview-view image', { state: 'attached' });
    expect(await count('[id="picture"] .edge-preview-view')).toBe(1);
    // The editor itself looks for news on the internet, which a test machine may not have.
    expect(editor.faults.filter((fault) => !fault.includes('ERR_NAME_NOT_RESOLVED'))).toEqual([]);
  });
});

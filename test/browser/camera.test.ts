import { type TestCamera, testCamera } from '../core/media/camera/server';
import { quarters } from '../core/media/pictures';
import { describeWith } from '../support/needs';
import { NodeRed } from '../support/node-red';
import { Editor } from './editor';

const OFFLINE = { editorTheme: { tours: false, projects: { enabled: false }, palette: { catalogues: [] } } };

describeWith(['chromium'], 'somebody with a camera', () => {
  let camera: TestCamera;
  let nodeRed: NodeRed;
  let editor: Editor;
  beforeAll(async () => {
    const picture = await quarters(320, 240).jpeg().toBuffer();
    camera = await testCamera((request, response) =>
      request.url === '/shot.jpg' ? response.end(picture) : response.writeHead(404).end(),
    );
    nodeRed = await NodeRed.start({ settings: OFFLINE });
    editor = await Editor.open(nodeRed.url, { theme: 'light', language: 'en-US' }, 'camera');
  }, 240_000);
  afterAll(async () => {
    await editor?.close();
    await nodeRed?.stop();
    await camera?.close();
  }, 240_000);

  const input = (name: string) => editor.page.locator(`#node-input-${name}`);
  const offer = () => editor.page.locator('#edge-camera-sub-stream');

  it('needs only an address: everything else is folded away', async () => {
    await editor.dragIn('edge-camera');
    await editor.openDialog('edge-camera');
    for (const name of ['url', 'user', 'password', 'framesPerSecond']) expect(await input(name).isVisible()).toBe(true);
    for (const name of ['kind', 'transport', 'hardware', 'region', 'timeout']) expect(await input(name).isVisible()).toBe(false);
    expect(await offer().isVisible()).toBe(false);
  }, 240_000);

  it('is offered the sub-stream of a main stream, and has it with one click', async () => {
    await input('url').fill('rtsp://192.168.1.20:554/Streaming/Channels/101');
    await offer().waitFor({ state: 'visible' });
    expect(await offer().textContent()).toMatch(/Hikvision/);
    await editor.screenshot('sub-stream');
    await offer().locator('button').click();
    expect(await input('url').inputValue()).toBe('rtsp://192.168.1.20:554/Streaming/Channels/102');
    expect(await offer().isVisible()).toBe(false);
    await input('url').fill('not an address at all');
    await editor.page.keyboard.press('Tab');
    await editor.page.waitForSelector('#node-input-url.input-error');
  }, 240_000);

  it('sees a picture, draws a part on it, and takes it back with a click', async () => {
    await input('url').fill(`${camera.url}/shot.jpg`);
    await editor.page.click('#edge-camera-test');
    const picture = editor.page.locator('#edge-camera-result img');
    await picture.waitFor({ state: 'visible' });
    expect(await editor.page.locator('#edge-camera-result').textContent()).toMatch(/320 × 240, \d+ ms/);
    await input('region').waitFor({ state: 'visible' });
    await picture.scrollIntoViewIfNeeded();
    const box = (await picture.boundingBox())!;
    const to = (x: number, y: number) => editor.page.mouse.move(box.x + x * box.width, box.y + y * box.height);
    await to(0.75, 0.9);
    await editor.page.mouse.down();
    await to(0.5, 0.5);
    await to(0.25, 0.4);
    await editor.page.mouse.up();
    const drawn = (await input('region').inputValue()).split(', ').map(Number);
    for (const [index, share] of [0.25, 0.4, 0.5, 0.5].entries()) expect(drawn[index]).toBeCloseTo(share, 1);
    await editor.screenshot('part');
    await editor.page.mouse.down();
    await editor.page.mouse.up();
    expect(await input('region').inputValue()).toBe('');
  }, 240_000);

  it('reads why no picture came', async () => {
    await input('url').fill(`${camera.url}/nothing`);
    await editor.page.click('#edge-camera-test');
    await editor.page.waitForSelector('#edge-camera-result.edge-error');
    expect(await editor.page.locator('#edge-camera-result').textContent()).toMatch(/answers 404/);
    // The editor's own answer to the refused request, and nothing beside it.
    expect(editor.faults.splice(0).filter((fault) => !/400/.test(fault))).toEqual([]);
    await input('url').fill(`${camera.url}/shot.jpg`);
    await editor.done('node-dialog-ok');
    expect(await editor.node('edge-camera')).toMatchObject({ valid: true });
  }, 240_000);
});

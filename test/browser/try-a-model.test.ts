import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { plain } from '../core/media/pictures';
import { COLOURS, colourDetector } from '../core/task/models';
import { describeWith } from '../support/needs';
import { NodeRed } from '../support/node-red';
import { Editor } from './editor';

const OFFLINE = { editorTheme: { tours: false, projects: { enabled: false }, palette: { catalogues: [] } } };

describeWith(['chromium'], 'somebody with a model of their own', () => {
  let folder: string;
  let nodeRed: NodeRed;
  let editor: Editor;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'edgeloom-try-'));
    writeFileSync(join(folder, 'mine.onnx'), colourDetector());
    writeFileSync(join(folder, 'red.png'), await plain(40, 20, '#f00').png().toBuffer());
    nodeRed = await NodeRed.start({ settings: OFFLINE });
    editor = await Editor.open(nodeRed.url, { theme: 'light', language: 'en-US' }, 'try-a-model');
  }, 240_000);
  afterAll(async () => {
    await editor?.close();
    await nodeRed?.stop();
    rmSync(folder, { recursive: true, force: true });
  }, 240_000);

  const input = (name: string) => editor.page.locator(`#node-config-input-${name}`);
  const facts = () => editor.page.locator('#edge-model-facts').textContent();
  const outcome = () => editor.page.locator('#edge-model-outcome').textContent();

  it('is shown the packaged detector first, with licence, size and labels', async () => {
    await editor.dragIn('edge-infer');
    await editor.openConfigDialog('edge-infer', 'model');
    await editor.page.waitForSelector('.edge-facts');
    expect(await facts()).toMatch(/Apache-2\.0[\s\S]*MB · int8 · inside the package[\s\S]*person, bicycle/);
    expect(await input('source').isVisible()).toBe(false);
  }, 240_000);

  it('sees what the file says, that its licence is unknown, and which fields are still to be filled in', async () => {
    await editor.page.selectOption('#edge-model-choice', 'own');
    await input('source').fill(join(folder, 'mine.onnx'));
    await editor.page.click('#edge-model-inspect');
    await editor.page.waitForSelector('.edge-wanted');
    expect(await facts()).toMatch(/image: float32 \[1, 3, 32, 32\]/);
    expect(await facts()).toMatch(/does not say under which licence/);
    // By the names that the fields have on the screen.
    expect(await facts()).toMatch(/does not say: .*Colours, Picture is, Mean, Scale/);
    const wanted = await editor.page.locator('.edge-wanted').evaluateAll((fields) => fields.map(({ id }) => id));
    expect(wanted).toEqual(expect.arrayContaining(['node-config-input-mean', 'node-config-input-scale']));
    expect(await input('mean').isVisible()).toBe(true);
  }, 240_000);

  it('reads the error with its code where the picture would stand', async () => {
    await editor.page.click('#edge-model-try-sample');
    await editor.page.waitForSelector('#edge-model-outcome [role=alert]');
    expect(await outcome()).toMatch(/\(EDGE_MODEL_INCOMPLETE\)/);
    // The editor's own answer to the refused request, and nothing beside it.
    expect(editor.faults.splice(0).filter((fault) => !/400/.test(fault))).toEqual([]);
  }, 240_000);

  it('fills them in, tries a picture of their own, and sees what was found and how long it took', async () => {
    await editor.page.selectOption('#node-config-input-task', 'detection');
    await editor.page.selectOption('#node-config-input-head', 'ssd');
    await editor.page.selectOption('#node-config-input-colours', 'rgb');
    await editor.page.selectOption('#node-config-input-fit', 'stretch');
    await input('mean').fill('0');
    await input('scale').fill(String(1 / 255));
    await input('labels').fill(COLOURS.labels.join(', '));
    await editor.page.setInputFiles('#edge-model-picture', join(folder, 'red.png'));
    await editor.page.waitForSelector('#edge-model-outcome canvas');
    expect(await outcome()).toMatch(/1 × red\s*prepare [\d.]+ ms, run [\d.]+ ms/);
    const canvas = editor.page.locator('#edge-model-outcome canvas');
    expect(await canvas.getAttribute('aria-label')).toBe('1 × red');
    expect(await canvas.evaluate((element) => [element.getAttribute('width'), element.getAttribute('height')])).toEqual([
      '40',
      '20',
    ]);
    await editor.screenshot('tried');
    expect(editor.faults.splice(0)).toEqual([]);
  }, 240_000);

  it('saves it as it was tried', async () => {
    await editor.done('node-config-dialog-ok');
    await editor.done('node-dialog-ok');
    await editor.deploy();
    const deployed = await nodeRed.get<Record<string, unknown>[]>('flows');
    const saved = deployed.find(({ type }) => type === 'edge-model');
    expect(saved).toMatchObject({ source: join(folder, 'mine.onnx'), head: 'ssd', mean: '0', labels: 'red, green, blue' });
    expect(deployed.find(({ type }) => type === 'edge-infer')).toMatchObject({ model: saved!.id });
  }, 240_000);
});

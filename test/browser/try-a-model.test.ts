import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { plain } from '../core/media/pictures';
import { COLOURS, colourDetector, poseOrDetector } from '../core/task/models';
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
    writeFileSync(join(folder, 'alike.onnx'), poseOrDetector());
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

  const visibleFields = () =>
    editor.page
      .locator('#edge-model-description .form-row:visible')
      .locator('input, select')
      .evaluateAll((fields) => fields.map(({ id }) => id.replace(/^node-config-input-|^edge-model-/, '')));

  it('is shown the packaged detector first, with licence, size and labels', async () => {
    await editor.dragIn('edge-infer');
    await editor.openConfigDialog('edge-infer', 'model');
    await editor.page.waitForSelector('.edge-facts');
    expect(await facts()).toMatch(/Apache-2\.0[\s\S]*MB · int8 · inside the package[\s\S]*person, bicycle/);
    expect(await input('source').isVisible()).toBe(false);
  }, 240_000);

  it('sees what the file says, that its licence is unknown, and is asked only for what it leaves out', async () => {
    await editor.page.selectOption('#edge-model-choice', 'own');
    await input('source').fill(join(folder, 'mine.onnx'));
    await editor.page.click('#edge-model-inspect');
    await editor.page.waitForSelector('.edge-wanted');
    expect(await facts()).toMatch(/image: float32 \[1, 3, 32, 32\]/);
    expect(await facts()).toMatch(/does not say under which licence/);
    // By the names that the fields have on the screen.
    expect(await facts()).toMatch(/does not say: Colours, Picture is, Pixel values/);
    const wanted = await editor.page.locator('.edge-wanted').evaluateAll((fields) => fields.map(({ id }) => id));
    expect(wanted).toEqual(['node-config-input-colours', 'node-config-input-fit', 'edge-model-preset']);
    expect(await editor.page.locator('#edge-model-asked').textContent()).toMatch(/marked fields are what the model does not say/);
    // Its labels are not known either, and it would run without.
    expect(await visibleFields()).toEqual(['colours', 'fit', 'preset', 'labels']);
    await editor.screenshot('asked');
  }, 240_000);

  it('reaches the questions, and nothing else on the way, with the Tab key', async () => {
    await editor.page.focus('#edge-model-description summary');
    const reached: string[] = [];
    for (let step = 0; step < 5; step++) {
      await editor.page.keyboard.press('Tab');
      reached.push(await editor.page.evaluate(() => document.activeElement!.id));
    }
    expect(reached.map((id) => id.replace(/^node-config-input-|^edge-model-/, ''))).toEqual([
      'colours',
      'fit',
      'preset',
      'labels',
      'all',
    ]);
    await editor.page.keyboard.press('Enter');
    expect(await visibleFields()).toEqual(['task', 'head', 'width', 'height', 'layout', 'colours', 'fit', 'preset', 'labels']);
  }, 240_000);

  it('reads the error with its code where the picture would stand', async () => {
    await editor.page.click('#edge-model-try-sample');
    await editor.page.waitForSelector('#edge-model-outcome [role=alert]');
    expect(await outcome()).toMatch(/\(EDGE_MODEL_INCOMPLETE\)/);
    // The editor's own answer to the refused request, and nothing beside it.
    expect(editor.faults.splice(0).filter((fault) => !/400/.test(fault))).toEqual([]);
  }, 240_000);

  it('fills them in, tries a picture of their own, and sees what was found and how long it took', async () => {
    await editor.page.selectOption('#node-config-input-colours', 'rgb');
    await editor.page.selectOption('#node-config-input-fit', 'stretch');
    await editor.page.selectOption('#edge-model-preset', 'unit');
    expect(await input('mean').isVisible()).toBe(false);
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

  it('sees what can compute on this machine, and for the rest why not', async () => {
    const provider = input('executionProvider');
    await editor.page.locator('summary', { hasText: 'Advanced' }).click();
    await editor.page.waitForSelector('#edge-model-providers .edge-hint', { state: 'attached', timeout: 120_000 });
    const choices = await provider
      .locator('option')
      .evaluateAll((options) =>
        options.map((option) => ({ value: option.getAttribute('value'), disabled: option.hasAttribute('disabled') })),
      );
    expect(choices.slice(0, 2)).toEqual([
      { value: 'auto', disabled: false },
      { value: 'cpu', disabled: false },
    ]);
    await editor.page.locator('#edge-model-providers summary').click();
    const hints = await editor.page.locator('#edge-model-providers li').allTextContents();
    expect(hints).toHaveLength(choices.filter(({ disabled }) => disabled).length);
    for (const hint of hints) expect(hint).toMatch(/^.+: .+\.$/);
    expect(await input('backend').inputValue()).toBe('auto');
    await editor.page.locator('#edge-model-providers').scrollIntoViewIfNeeded();
    await editor.screenshot('engine');
    expect(editor.faults.splice(0)).toEqual([]);
  }, 240_000);

  it('saves it as it was tried', async () => {
    await editor.done('node-config-dialog-ok');
    await editor.done('node-dialog-ok');
    await editor.deploy();
    const deployed = await nodeRed.get<Record<string, unknown>[]>('flows');
    const saved = deployed.find(({ type }) => type === 'edge-model');
    expect(saved).toMatchObject({ source: join(folder, 'mine.onnx'), colours: 'rgb', mean: '0', labels: 'red, green, blue' });
    expect(Number(saved!.scale)).toBeCloseTo(1 / 255, 12);
    expect(deployed.find(({ type }) => type === 'edge-infer')).toMatchObject({ model: saved!.id });
  }, 240_000);

  it('chooses between two families that look alike, each by a name', async () => {
    await editor.dragIn('edge-infer');
    await editor.openConfigDialog('edge-infer', 'model');
    await editor.page.selectOption('#edge-model-choice', 'own');
    await input('source').fill(join(folder, 'alike.onnx'));
    await editor.page.click('#edge-model-inspect');
    await editor.page.waitForSelector('.edge-wanted');
    expect(await visibleFields()).toEqual(['head', 'labels']);
    const options = await editor.page.locator('#node-config-input-head option').allTextContents();
    expect(options).toEqual(['please choose …', 'YOLOv8, v9, 11, 12', 'YOLOv8 pose, YOLO11 pose']);
    await editor.page.selectOption('#node-config-input-head', 'yolov8-pose');
    expect(await editor.page.locator('.edge-wanted').count()).toBe(0);
    await editor.page.setInputFiles('#edge-model-picture', join(folder, 'red.png'));
    await editor.page.waitForSelector('#edge-model-outcome canvas');
    expect(await outcome()).toMatch(/1 × class 0/);
    await editor.screenshot('posed');
    expect(editor.faults.splice(0)).toEqual([]);
  }, 240_000);

  it("has ImageNet's numbers in the order of the model's colours, and its own where it has others", async () => {
    await editor.page.click('#edge-model-all');
    const [mean, scale] = [input('mean'), input('scale')];
    await editor.page.selectOption('#edge-model-preset', 'imagenet');
    expect(await mean.inputValue()).toBe('123.675, 116.28, 103.53');
    await editor.page.selectOption('#node-config-input-colours', 'bgr');
    expect(await mean.inputValue()).toBe('103.53, 116.28, 123.675');
    expect(await scale.inputValue()).toBe('0.01742919, 0.01750700, 0.01712475');
    await editor.page.selectOption('#edge-model-preset', 'own');
    expect(await mean.isVisible()).toBe(true);
    expect(await mean.inputValue()).toBe('103.53, 116.28, 123.675');
    await editor.done('node-config-dialog-ok');
    await editor.done('node-dialog-ok');
    expect(editor.faults.splice(0)).toEqual([]);
  }, 240_000);

  it('is told beside the facts where no native engine runs', async () => {
    const reason = 'The inference runtime is not installed: onnxruntime-node has no binary for linux x64 with musl';
    await editor.page.route('**/edgeloom/providers', (route) => route.fulfill({ json: [{ id: 'cpu', present: false, reason }] }));
    await editor.openConfigDialog('edge-infer', 'model');
    await editor.page.waitForSelector('#edge-model-engine .edge-notice');
    const notice = await editor.page.locator('#edge-model-engine').textContent();
    expect(notice).toMatch(/^No native engine runs on this machine.*WebAssembly.*with musl$/);
    expect(await editor.page.locator('#edge-model-providers').textContent()).toBe('');
    await editor.screenshot('no-native-engine');
    expect(editor.faults.splice(0)).toEqual([]);
  }, 240_000);
});

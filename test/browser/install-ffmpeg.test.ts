import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prebuiltFor } from '../../core/media/ffmpeg/prebuilt';
import { describeWith } from '../support/needs';
import { linkedUserDir, NodeRed } from '../support/node-red';
import { Editor } from './editor';

const OFFLINE = { editorTheme: { tours: false, projects: { enabled: false }, palette: { catalogues: [] } } };

/** The tarball is the real one, by its hash, so that this needs the registry and a machine for which there is a build. */
if (prebuiltFor()) {
  describeWith(['chromium', 'registry'], 'somebody without FFmpeg', () => {
    let programs: string;
    let userDir: string;
    let nodeRed: NodeRed;
    let editor: Editor;
    beforeAll(async () => {
      // A PATH on which there is Node.js and no FFmpeg.
      programs = mkdtempSync(join(tmpdir(), 'edgeloom-path-'));
      symlinkSync(process.execPath, join(programs, 'node'));
      userDir = linkedUserDir();
      const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim();
      nodeRed = await NodeRed.start({ userDir, settings: OFFLINE, env: { PATH: programs, npm_config_registry: registry } });
      editor = await Editor.open(nodeRed.url, { theme: 'light', language: 'en-US' }, 'install-ffmpeg');
    }, 120_000);
    afterAll(async () => {
      await editor?.close();
      await nodeRed?.stop();
      for (const folder of [programs, userDir]) rmSync(folder, { recursive: true, force: true });
    }, 60_000);

    const piece = () => editor.page.locator('#edge-replay-ffmpeg');
    const button = (act: string) => piece().locator(`[data-act=${act}]`);
    const place = () => join(userDir, 'edgeloom', 'ffmpeg');

    it('is told the command for this system, and offered a ready-made one', async () => {
      await editor.dragIn('edge-replay');
      await editor.openDialog('edge-replay');
      await editor.page.locator('details.edge-section > summary').click();
      await button('offer').waitFor();
      expect(await piece().textContent()).toMatch(/FFmpeg, which is not installed: none on the PATH\. Run: \w+/);
      await editor.screenshot('missing');
    }, 60_000);

    it('sees what it is and its whole licence before anything is fetched', async () => {
      await button('offer').click();
      await button('agree').waitFor();
      expect(await piece().textContent()).toContain(prebuiltFor()!.commit);
      const licence = await piece().locator('pre').textContent();
      expect(licence).toMatch(/GNU GENERAL PUBLIC LICENSE\s+Version 3[\s\S]*END OF TERMS AND CONDITIONS/);
      await editor.screenshot('licence');
      expect(existsSync(place())).toBe(false);
      await button('cancel').click();
      await button('offer').waitFor();
      expect(existsSync(place())).toBe(false);
    }, 60_000);

    it('agrees, and has it, with the licence beside it', async () => {
      await button('offer').click();
      await button('agree').click();
      await button('remove').waitFor({ timeout: 120_000 });
      expect(await piece().textContent()).toMatch(/^FFmpeg N-\d+-g\w+-static · \S+edgeloom\/ffmpeg\/ffmpeg/);
      await editor.screenshot('installed');
      const printed = execFileSync(join(place(), 'ffmpeg'), ['-version'], { encoding: 'utf8' });
      expect(printed).toMatch(/^ffmpeg version N-/);
      expect(readFileSync(join(place(), prebuiltFor()!.version, 'LICENSE.txt'), 'utf8')).toContain('GNU GENERAL PUBLIC LICENSE');
    }, 150_000);

    it('has it for cameras too, which read a video with it', async () => {
      const film = join(programs, 'film.mp4');
      const made = ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc=size=320x240:rate=5', '-t', '4', film];
      execFileSync(join(place(), 'ffmpeg'), made);
      await editor.closeDialogs();
      await editor.dragIn('edge-camera');
      await editor.openDialog('edge-camera');
      const shown = editor.page.locator('#edge-camera-ffmpeg');
      await editor.page.locator('details.edge-section > summary').last().click();
      await shown.locator('[data-act=remove]').waitFor();
      expect(await shown.textContent()).toMatch(/^FFmpeg N-\d+-g\w+-static · \S+edgeloom\/ffmpeg\/ffmpeg/);
      await shown.scrollIntoViewIfNeeded();
      await editor.screenshot('camera');
      await editor.page.locator('#node-input-url').fill(film);
      await editor.page.click('#edge-camera-test');
      await editor.page.locator('#edge-camera-result img').waitFor({ timeout: 60_000 });
      expect(await editor.page.locator('#edge-camera-result').textContent()).toMatch(/320 × 240, \d+ ms/);
      await editor.closeDialogs();
    }, 150_000);

    it('takes it away again', async () => {
      await editor.openDialog('edge-replay');
      await editor.page.locator('details.edge-section > summary').click();
      await button('remove').click();
      await button('offer').waitFor();
      expect(existsSync(join(place(), 'ffmpeg'))).toBe(false);
      expect(existsSync(join(place(), prebuiltFor()!.version))).toBe(false);
      expect(editor.faults.splice(0)).toEqual([]);
    }, 60_000);
  });
}

describe('the routes behind it', () => {
  let nodeRed: NodeRed;
  beforeAll(async () => {
    nodeRed = await NodeRed.start({ password: 'secret', env: { PATH: '/nowhere', npm_config_registry: 'http://127.0.0.1:1/' } });
  }, 120_000);
  afterAll(() => nodeRed?.stop(), 30_000);
  const post = async (path: string, body: unknown, token?: string) => {
    const response = await nodeRed.request('POST', path, { body, ...(token ? { token } : {}) });
    return { status: response.status, text: await response.text() };
  };

  it.each(['look', 'install', 'remove'])('%s is for who may change cameras', async (route) => {
    expect(await post(`edgeloom/ffmpeg/${route}`, {}, 'wrong')).toMatchObject({ status: 401 });
  });

  it('fetches nothing unless the licence was agreed to, and says so when there is no network', async () => {
    const refused = await post('edgeloom/ffmpeg/install', {});
    expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('its licence was not agreed to')]);
    if (!prebuiltFor()) return;
    const offline = await post('edgeloom/ffmpeg/install', { licence: prebuiltFor()!.licence });
    expect([offline.status, offline.text]).toEqual([400, expect.stringMatching(/EDGE_FFMPEG_INSTALL.*did not answer/)]);
  });

  it('says of a program that is named whether it is one', async () => {
    const { text } = await post('edgeloom/ffmpeg/look', { named: process.execPath });
    expect(JSON.parse(text)).toMatchObject({ used: null, error: { code: 'EDGE_FFMPEG_FAILED' } });
  });
});

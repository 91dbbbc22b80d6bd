/**
 * The pictures of the documentation, taken from the real editor: `node scripts/docs-pictures.mjs` after `npm run build`.
 * Needs Chromium (or $CHROMIUM). Writes docs/images/*.png.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const images = join(root, 'docs', 'images');
const demo = mkdtempSync(join(tmpdir(), 'edgeloom-pictures-'));
mkdirSync(images, { recursive: true });

const main = spawn(process.execPath, [join(root, 'scripts', 'start.mjs')], {
  env: { ...process.env, EDGELOOM_DEMO: demo, PORT: '0' },
});
const address = await new Promise((found, failed) => {
  let text = '';
  main.stdout.on('data', (chunk) => {
    text += chunk;
    const ready = /READY[\s\S]*?(http:\/\/\S+)[\s\S]*Ctrl-C/.exec(text);
    if (ready) found(ready[1]);
  });
  main.once('exit', (code) => failed(new Error(`npm start ended with ${code}: ${text}`)));
});

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});
try {
  const page = await browser.newPage({ viewport: { width: 1440, height: 820 }, locale: 'en-US' });
  await page.goto(address);
  await page.waitForSelector('.red-ui-palette-node');
  await page.waitForSelector('#red-ui-loading-progress', { state: 'hidden' });
  await page.waitForTimeout(8000); // The picture and the first figures under the nodes.
  await page.screenshot({ path: join(images, 'template.png') });

  // A new model node, tried on the packaged picture before anything is deployed.
  await page.evaluate(() => window.RED.editor.editConfig('', 'edge-model', '_ADD_'));
  await page.click('#edge-model-try-sample');
  await page.waitForSelector('#edge-model-outcome img, #edge-model-outcome svg, #edge-model-outcome canvas');
  await page.waitForTimeout(1500);
  await page.screenshot({ path: join(images, 'try-it.png') });

  // The same file as somebody's own, of which nobody said how it is fed: what is still open is asked.
  await page.selectOption('#edge-model-choice', 'own');
  await page.fill('#node-config-input-source', join(root, 'dist', 'models', 'coco-ssd-mobilenet-v2-int8.onnx'));
  await page.click('#edge-model-inspect');
  await page.waitForSelector('.edge-wanted');
  await page.fill('#node-config-input-source', '/data/models/mine.onnx');
  await page.locator('#edge-model-more').scrollIntoViewIfNeeded();
  await page.waitForTimeout(500);
  await page.screenshot({ path: join(images, 'asked.png') });
} finally {
  await browser.close();
  const ended = new Promise((done) => main.once('exit', done));
  main.kill('SIGINT');
  await ended;
  rmSync(demo, { recursive: true, force: true });
}

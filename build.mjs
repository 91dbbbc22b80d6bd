/**
 * Builds dist/ out of core/ and nodes/: CommonJS file by file (one node set per file, so that one that cannot load does not
 * take the others with it), the editor half of each node as one HTML file, locales, icons; then the packaged model and sample.
 *
 *   node build.mjs             everything
 *   node build.mjs --code      without the packaged model and sample
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(fileURLToPath(import.meta.url));
const dist = join(root, 'dist');
const LANGUAGES = ['en-US', 'zh-CN'];

const nodeTypes = readdirSync(join(root, 'nodes'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'common')
  .map((entry) => entry.name)
  .sort();

function sources(folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter(
      (entry) =>
        entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.editor.ts') && !entry.name.endsWith('.d.ts'),
    )
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !relative(root, file).startsWith(join('nodes', 'common', 'editor')));
}

for (const folder of ['core', 'nodes']) rmSync(join(dist, folder), { recursive: true, force: true });

await build({
  entryPoints: [...sources('core'), ...sources('nodes')],
  outbase: root,
  outdir: dist,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  sourcemap: true,
  sourcesContent: false,
  logLevel: 'warning',
});

// onnx-buf is an ES module only: bundled, so that what is shipped is CommonJS throughout and nobody installs it (NOTICE names it).
await build({
  entryPoints: [join(root, 'core', 'model', 'onnx', 'protobuf.ts')],
  outfile: join(dist, 'core', 'model', 'onnx', 'protobuf.js'),
  bundle: true,
  external: ['@bufbuild/*'],
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  logLevel: 'warning',
});

// Of onnxruntime-web's 145 MB three files are needed: bundled and copied, so that a machine without a native binary works at once.
const web = join(root, 'core', 'inference', 'backends', 'onnxruntime-web');
const webPackage = join(root, 'node_modules', 'onnxruntime-web', 'dist');
await build({
  entryPoints: [join(web, 'engine.ts')],
  outfile: join(dist, relative(root, web), 'engine.js'),
  bundle: true,
  alias: { 'onnxruntime-web': join(webPackage, 'ort.node.min.js') },
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  logLevel: 'warning',
});
for (const file of ['ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm']) {
  cpSync(join(webPackage, file), join(dist, relative(root, web), file));
}

// Data that code reads beside itself: catalogue entries, schemas.
cpSync(join(root, 'core'), join(dist, 'core'), { recursive: true, filter: (file) => !/\.ts$/.test(file) });

for (const type of nodeTypes) {
  const from = join(root, 'nodes', type);
  const to = join(dist, 'nodes', type);
  mkdirSync(join(to, 'icons'), { recursive: true });
  writeFileSync(join(to, `${type}.html`), await editorHtml(type, from));
  cpSync(join(root, 'icons', `${type}.svg`), join(to, 'icons', `${type}.svg`));
  for (const language of LANGUAGES) writeLocale(type, language, join(from, 'locales', language), join(to, 'locales', language));
}

copyTemplates();

if (!process.argv.includes('--code')) {
  const { buildAssets } = await import('./scripts/build-assets.mjs');
  await buildAssets({ root, dist });
}

/** The dialog's markup, then its script: bundled with the shared editor code, not minified, since catalogues parse registerType. */
async function editorHtml(type, from) {
  const script = await build({
    entryPoints: [join(from, `${type}.editor.ts`)],
    bundle: true,
    write: false,
    format: 'iife',
    target: 'es2020',
    charset: 'utf8',
    logLevel: 'warning',
  });
  const markup = readFileSync(join(from, `${type}.html`), 'utf8').trim();
  return `${markup}\n\n<script type="text/javascript">\n${script.outputFiles[0].text}</script>\n`;
}

/** A node's catalogue is its own file and what all share (error codes, the palette's name); help is Markdown in a script tag. */
function writeLocale(type, language, from, to) {
  mkdirSync(to, { recursive: true });
  const shared = JSON.parse(readFileSync(join(root, 'nodes', 'common', 'locales', `${language}.json`), 'utf8'));
  const own = JSON.parse(readFileSync(join(from, `${type}.json`), 'utf8'));
  writeFileSync(join(to, `${type}.json`), `${JSON.stringify({ ...shared, ...own }, null, 2)}\n`);
  const help = readFileSync(join(from, `${type}.md`), 'utf8').trim();
  writeFileSync(join(to, `${type}.html`), `<script type="text/markdown" data-help-name="${type}">\n${help}\n</script>\n`);
}

/** Node-RED's Import dialog looks only under examples/, so the templates are copied there by their titles. */
function copyTemplates() {
  const to = join(root, 'examples', 'templates');
  rmSync(to, { recursive: true, force: true });
  if (!existsSync(join(root, 'flows'))) return;
  for (const entry of readdirSync(join(root, 'flows'), { withFileTypes: true })) {
    const flow = join(root, 'flows', entry.name, 'flow.json');
    if (!entry.isDirectory() || !existsSync(flow)) continue;
    mkdirSync(to, { recursive: true });
    const title = entry.name.replace(/-/g, ' ').replace(/^./, (letter) => letter.toUpperCase());
    cpSync(flow, join(to, `${title}.json`));
  }
}

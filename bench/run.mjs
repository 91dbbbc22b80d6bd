/** Transpiles bench/ beside the built engine (dist/bench) and runs it; `npm run bench` builds the engine first. */
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const built = join(root, 'dist', 'bench');
rmSync(built, { recursive: true, force: true });
await build({
  entryPoints: readdirSync(join(root, 'bench'), { recursive: true })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(root, 'bench', file)),
  outbase: root,
  outdir: join(root, 'dist'),
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  sourcemap: 'inline',
});
const { status } = spawnSync(
  process.execPath,
  ['--enable-source-maps', '--expose-gc', join(built, 'main.js'), ...process.argv.slice(2)],
  { stdio: 'inherit' },
);
process.exit(status ?? 1);

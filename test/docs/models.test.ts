import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parsePartialManifest } from '../../core/model/parse-manifest';

const root = join(__dirname, '..', '..');
const page = readFileSync(join(root, 'docs', 'models.md'), 'utf8');

test('the tables on the page of models are those of the catalogue and of the heads', () => {
  expect(execFileSync(process.execPath, [join(root, 'scripts', 'models-page.mjs')], { encoding: 'utf8' })).toBe(page);
});

test('the manifest on the page of models is one', () => {
  const [, json] = /```json\n([\s\S]*?)```/.exec(page)!;
  expect(parsePartialManifest(JSON.parse(json!), 'docs/models.md')).toMatchObject({ id: 'doors', output: { head: 'yolox' } });
});

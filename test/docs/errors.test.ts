import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');

test('the page of error codes is the table of core/errors.ts', () => {
  const page = execFileSync(process.execPath, [join(root, 'scripts', 'errors-page.mjs')], { encoding: 'utf8' });
  expect(readFileSync(join(root, 'docs', 'errors.md'), 'utf8')).toBe(page);
});

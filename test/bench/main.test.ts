import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { ROOT } from '../support/needs';

/** A measurement of no time, beside the real ones' front door. */
const PROBE = `exports.default = async (bench) => {
  bench.note('a remark');
  bench.record({ case: 'a', measure: 'ratio', value: 1.25, unit: 'x', target: '>= 1' });
  bench.record({ case: 'b', measure: 'ms', value: 9, unit: 'ms', target: '< 5' });
  bench.record({ case: 'c', measure: 'data', value: 1, unit: bench.options.data ?? 'none' });
};`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'edgeloom-bench-'));
  buildSync({ entryPoints: [join(ROOT, 'bench', 'main.ts')], outdir: folder, platform: 'node', format: 'cjs' });
  writeFileSync(join(folder, 'probe.js'), PROBE);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bench = (...args: string[]) => spawnSync(process.execPath, [join(folder, 'main.js'), ...args], { encoding: 'utf8' });

describe('the bench command', () => {
  it('writes with --json one array and nothing else to standard output, each figure with what it was measured on', () => {
    const { status, stdout, stderr } = bench('probe', '--json', '--data', '/pictures');
    const machine = expect.stringMatching(/cores.*Node \d+/);
    expect(JSON.parse(stdout)).toEqual([
      { bench: 'probe', case: 'a', measure: 'ratio', value: 1.25, unit: 'x', target: '>= 1', machine },
      { bench: 'probe', case: 'b', measure: 'ms', value: 9, unit: 'ms', target: '< 5', machine },
      { bench: 'probe', case: 'c', measure: 'data', value: 1, unit: '/pictures', machine },
    ]);
    expect(stderr).toContain('a remark');
    expect(status).toBe(0);
  });

  it('names what missed its target, and only that', () => {
    const { stdout, stderr } = bench('probe');
    expect(stdout).toContain('probe  a  ratio = 1.250 x  (target >= 1)');
    expect(stderr.match(/^missed: .*$/gm)).toEqual(['missed: b ms = 9, target < 5']);
  });

  it('lists the measurements there are for a name that is none', () => {
    const { status, stdout, stderr } = bench('nope', '--json');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/NAME is one of: .*probe/);
  });
});

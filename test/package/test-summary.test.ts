import { type SpawnSyncOptionsWithStringEncoding, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../support/needs';

type Outcome = [fullName: string, status: 'passed' | 'failed' | 'pending' | 'todo'];

type Report = Record<string, Outcome[]>;

function write(path: string, report: Report): string {
  const testResults = Object.entries(report).map(([file, outcomes]) => ({
    name: `/clone/${file}`,
    message: '',
    assertionResults: outcomes.map(([fullName, status]) => ({ fullName, status })),
  }));
  writeFileSync(path, JSON.stringify({ testResults }));
  return path;
}

function summary(parameters: string[], options: Partial<SpawnSyncOptionsWithStringEncoding> = {}) {
  return spawnSync(process.execPath, [join(ROOT, 'scripts', 'test-summary.mjs'), ...parameters], {
    encoding: 'utf8',
    ...options,
  });
}

/** The gate's verdict on a Jest report: tests by file; `files` are those of the repository. */
function judge(report: Report | undefined, files: string[], required = 'chromium', again?: Report) {
  const folder = mkdtempSync(join(tmpdir(), 'edgeloom-summary-'));
  try {
    const reports = [report, again].map((each, index) => each && write(join(folder, `${index}.json`), each));
    const { status, stdout } = summary([reports[0] ?? join(folder, 'absent.json'), ...(reports[1] ? [reports[1]] : [])], {
      input: `${files.join('\n')}\n`,
      env: { ...process.env, EDGELOOM_REQUIRE: required },
    });
    const lines = stdout.trim().split('\n');
    return { passes: status === 0, last: lines.at(-1), faults: lines.slice(0, -1) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const A = 'test/a.test.ts';
const SHARED: Outcome = ['reads recordings (skipped: needs shared)', 'pending'];

describe('the verdict of the gate', () => {
  it('ends with the figures', () => {
    expect(judge({ [A]: [['is right', 'passed']] }, [A])).toEqual({
      passes: true,
      last: '1 passed, 0 failed, 0 skipped',
      faults: [],
    });
  });

  it('is bad when there is no report, no test, or no test that passed', () => {
    expect(judge(undefined, []).passes).toBe(false);
    expect(judge({}, []).passes).toBe(false);
    expect(judge({ [A]: [] }, [A]).passes).toBe(false);
    expect(judge({ [A]: [SHARED] }, [A]).passes).toBe(false);
  });

  it('is bad when a test failed or a file of the repository did not run', () => {
    const failed = judge(
      {
        [A]: [
          ['is right', 'passed'],
          ['is wrong', 'failed'],
        ],
      },
      [A],
    );
    expect(failed).toEqual({ passes: false, last: '1 passed, 1 failed, 0 skipped', faults: ['failed: is wrong'] });
    expect(judge({ [A]: [['is right', 'passed']] }, [A, 'test/b.test.ts']).faults).toEqual(['did not run: test/b.test.ts']);
  });

  it('lets pass only what needs the shared recordings, where there are none', () => {
    const report = { [A]: [['is right', 'passed'], SHARED] as Outcome[] };
    expect(judge(report, [A])).toEqual({ passes: true, last: '1 passed, 0 failed, 1 skipped', faults: [] });
    expect(judge(report, [A], 'chromium,shared').passes).toBe(false);
    for (const skipped of ['opens (skipped: needs chromium)', 'opens (skipped: needs shared, chromium)', 'opens']) {
      expect(
        judge(
          {
            [A]: [
              ['is right', 'passed'],
              [skipped, 'pending'],
            ],
          },
          [A],
        ).passes,
      ).toBe(false);
    }
    expect(
      judge(
        {
          [A]: [
            ['is right', 'passed'],
            ['is to be written', 'todo'],
          ],
        },
        [A],
      ).passes,
    ).toBe(false);
  });

  it('takes the verdict of a second run, and names what passed only then', () => {
    const right: Outcome = ['is right', 'passed'];
    const first: Report = { [A]: [right, ['is late', 'failed']], 'test/b.test.ts': [['stays', 'passed']] };
    const files = [A, 'test/b.test.ts'];
    expect(judge(first, files, 'chromium', { [A]: [right, ['is late', 'passed']] })).toEqual({
      passes: true,
      last: '3 passed, 0 failed, 0 skipped',
      faults: ['unsteady, passed only at the second run: is late'],
    });
    expect(judge(first, files, 'chromium', { [A]: [right, ['is late', 'failed']] }).passes).toBe(false);
    // A second run that did not reach the test is no pardon.
    expect(judge(first, files, 'chromium', { [A]: [right] }).faults).toEqual(['did not run again: is late']);
  });

  it('lists the files with a failed test', () => {
    const folder = mkdtempSync(join(tmpdir(), 'edgeloom-summary-'));
    const report = write(join(folder, 'jest.json'), {
      [A]: [['is wrong', 'failed']],
      'test/b.test.ts': [['is right', 'passed']],
    });
    expect(summary(['--failed', report]).stdout).toBe(`/clone/${A}\n`);
    rmSync(folder, { recursive: true });
  });
});

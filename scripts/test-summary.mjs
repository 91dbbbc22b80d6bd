/**
 * The verdict over a Jest run, for .ci/run: every test file of the repository must have run and held tests, and nothing may be
 * skipped but what needs the shared recordings where there are none. Ends with "N passed, N failed, N skipped".
 *
 *   git ls-files 'test/*.test.ts' | node scripts/test-summary.mjs RESULTS.json
 */
import { existsSync, readFileSync } from 'node:fs';

const report = process.argv[2];
const expected = readFileSync(0, 'utf8').split('\n').filter(Boolean);
const results = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')).testResults : [];
const tests = results.flatMap((file) => file.assertionResults);
const sharedIsRequired = (process.env.EDGELOOM_REQUIRE ?? '').split(',').includes('shared');

const passed = tests.filter((test) => test.status === 'passed');
const failed = tests.filter((test) => test.status === 'failed');
const skipped = tests.filter((test) => !['passed', 'failed'].includes(test.status));
const mayBeSkipped = (test) => !sharedIsRequired && test.fullName.includes('(skipped: needs shared)');

const faults = [
  ...expected.filter((file) => !results.some((result) => result.name.endsWith(`/${file}`))).map((file) => `did not run: ${file}`),
  ...results.filter((file) => file.assertionResults.length === 0).map((file) => `holds no tests: ${file.name}\n${file.message}`),
  ...skipped.filter((test) => !mayBeSkipped(test)).map((test) => `need not be skipped: ${test.fullName}`),
  ...failed.map((test) => `failed: ${test.fullName}`),
  ...(passed.length === 0 ? ['no test passed'] : []),
];

for (const fault of faults) console.log(fault);
console.log(`${passed.length} passed, ${failed.length} failed, ${skipped.length} skipped`);
if (faults.length > 0) process.exitCode = 1;

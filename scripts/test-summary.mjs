/**
 * The verdict over a Jest run, for .ci/run: every test file of the repository must have run and held tests, and nothing may be
 * skipped but what needs the shared recordings where there are none. Ends with "N passed, N failed, N skipped".
 *
 *   git ls-files 'test/*.test.ts' | node scripts/test-summary.mjs RESULTS.json [AGAIN.json]
 *   node scripts/test-summary.mjs --failed RESULTS.json      the files with a failed test, a line each
 *
 * AGAIN.json is a second run of a few failed files, each alone. Its verdict counts, and what passed only then is named "unsteady".
 */
import { existsSync, readFileSync } from 'node:fs';

const [report, again] = process.argv.slice(2).filter((argument) => argument !== '--failed');
const first = resultsOf(report);

if (process.argv.includes('--failed')) {
  for (const file of first.filter(hasFailed)) console.log(file.name);
  process.exit();
}

const expected = readFileSync(0, 'utf8').split('\n').filter(Boolean);
const second = again === undefined ? [] : resultsOf(again);
const results = first.map((file) => second.find(({ name }) => name === file.name) ?? file);
const tests = results.flatMap((file) => file.assertionResults);
const sharedIsRequired = (process.env.EDGELOOM_REQUIRE ?? '').split(',').includes('shared');

const passed = tests.filter((test) => test.status === 'passed');
const failed = tests.filter((test) => test.status === 'failed');
const skipped = tests.filter((test) => !['passed', 'failed'].includes(test.status));
const mayBeSkipped = (test) => !sharedIsRequired && test.fullName.includes('(skipped: needs shared)');

const failedFirst = first.flatMap((file) => file.assertionResults).filter((test) => test.status === 'failed');
const named = (list, { fullName }) => list.some((test) => test.fullName === fullName);
const unsteady = failedFirst.filter((test) => named(passed, test));
const lost = failedFirst.filter((test) => !named(tests, test));

const faults = [
  ...expected.filter((file) => !results.some((result) => result.name.endsWith(`/${file}`))).map((file) => `did not run: ${file}`),
  ...results.filter((file) => file.assertionResults.length === 0).map((file) => `holds no tests: ${file.name}\n${file.message}`),
  ...skipped.filter((test) => !mayBeSkipped(test)).map((test) => `need not be skipped: ${test.fullName}`),
  ...failed.map((test) => `failed: ${test.fullName}`),
  ...lost.map((test) => `did not run again: ${test.fullName}`),
  ...(passed.length === 0 ? ['no test passed'] : []),
];

for (const fault of faults) console.log(fault);
for (const test of unsteady) console.log(`unsteady, passed only at the second run: ${test.fullName}`);
console.log(`${passed.length} passed, ${failed.length} failed, ${skipped.length} skipped`);
if (faults.length > 0) process.exitCode = 1;

function resultsOf(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).testResults : [];
}

function hasFailed(file) {
  return file.status === 'failed' || file.assertionResults.some((test) => test.status === 'failed');
}

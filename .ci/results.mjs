// Reads jest's results as JSON. `node results.mjs failed FILE` prints the test files that failed, one a line;
// `node results.mjs count STATUS FILE AGAIN` prints `N passed, N failed`, where AGAIN has the failed files' second run, if there was one.
import { readFileSync } from 'node:fs';

function read(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { numPassedTests: 0, numFailedTests: 0, testResults: [] };
  }
}

const failedFiles = ({ testResults }) => testResults.filter(({ status }) => status === 'failed');

function count(status, whole, again) {
  const tests = (results, wanted) =>
    results.testResults
      .flatMap(({ assertionResults }) => assertionResults)
      .filter((test) => test.status === wanted).length;
  if (again.testResults.length === 0) {
    return { passed: whole.numPassedTests, failed: status !== 0 ? Math.max(1, whole.numFailedTests) : 0 };
  }
  const passedAtOnce = whole.numPassedTests - tests({ testResults: failedFiles(whole) }, 'passed');
  const failed = status !== 0 ? Math.max(1, again.numFailedTests) : 0;
  return { passed: passedAtOnce + again.numPassedTests, failed };
}

const [command, ...rest] = process.argv.slice(2);
if (command === 'failed') {
  for (const { name } of failedFiles(read(rest[0]))) console.log(name);
} else {
  const { passed, failed } = count(Number(rest[0]), read(rest[1]), read(rest[2]));
  console.log(`${passed} passed, ${failed} failed`);
}

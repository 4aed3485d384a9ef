import { spawnSync } from 'node:child_process';

function isThere(program: string): boolean {
  return spawnSync(program, ['--help']).error === undefined;
}

/**
 * A block of tests that run other programs (any one of each list): skipped, and reported as such, on a machine without
 * them; failed under CI, which installs them (.ci/run).
 */
export function describeWithPrograms(...needed: readonly (readonly string[])[]): jest.Describe {
  const missing = needed.filter((choice) => !choice.some(isThere));
  if (missing.length === 0) return describe;
  if (process.env['CI'] === undefined) return describe.skip;
  throw new Error(`Missing here: ${missing.map((choice) => choice.join(' or ')).join(', ')}`);
}

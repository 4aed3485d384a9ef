import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where a program is that can be run, searched as a shell would; undefined where it is not. */
export function findProgram(name: string): string | undefined {
  // Debian keeps servers in a folder that only root has on its path.
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'];
  return folders
    .map((folder) => join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/**
 * A block of tests that run other programs (any one of each list): skipped, and reported as such, on a machine without
 * them; failed under CI, which installs them (.ci/run).
 */
export function describeWithPrograms(...needed: readonly (readonly string[])[]): jest.Describe {
  const missing = needed.filter((choice) => choice.every((name) => findProgram(name) === undefined));
  if (missing.length === 0) return describe;
  if (process.env['CI'] === undefined) return describe.skip;
  throw new Error(`Missing here: ${missing.map((choice) => choice.join(' or ')).join(', ')}`);
}

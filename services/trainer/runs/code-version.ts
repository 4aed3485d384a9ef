import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Manifest } from '../../../shared/contracts/manifest';

/**
 * The package's version and, in a git checkout, its commit, with `+changes` when the tree differs from
 * it. `models/` does not count: training itself writes there.
 */
export async function codeVersion(projectFolder: string): Promise<Manifest['code']> {
  const text = await readFile(join(projectFolder, 'package.json'), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  return { version, revision: await gitRevision(projectFolder) };
}

async function gitRevision(cwd: string): Promise<string> {
  const git = promisify(execFile);
  try {
    const { stdout: commit } = await git('git', ['rev-parse', '--short=12', 'HEAD'], { cwd });
    const { stdout: changes } = await git(
      'git',
      ['status', '--porcelain', '--untracked-files=no', '--', '.', ':!models'],
      { cwd },
    );
    return commit.trim() + (changes.trim() === '' ? '' : '+changes');
  } catch {
    return 'unknown'; // no git, or no checkout: an unpacked archive
  }
}

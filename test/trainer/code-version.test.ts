import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { codeVersion } from '../../services/trainer/runs/code-version';

let folder: string;
const write = (file: string, text: string): void => {
  writeFileSync(join(folder, file), text);
};
const git = (...args: string[]): string => execFileSync('git', args, { cwd: folder, encoding: 'utf8' });

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'earshot-code-version-'));
  mkdirSync(join(folder, 'models'));
  write('package.json', JSON.stringify({ version: '1.2.3' }));
  write('models/REPORT.json', '{}');
  write('network.ts', '');
  git('init', '-q');
  git('add', '.');
  git('-c', 'user.name=test', '-c', 'user.email=test@example.org', 'commit', '-qm', 'All');
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe('the code that a run is stamped with', () => {
  it('is the commit, although earlier runs were added to models/', async () => {
    const revision = git('rev-parse', '--short=12', 'HEAD').trim();
    expect(await codeVersion(folder)).toEqual({ version: '1.2.3', revision });
    write('models/REPORT.json', '{"runs":1}');
    expect(await codeVersion(folder)).toEqual({ version: '1.2.3', revision });
  });

  it('says when the code differs from its commit', async () => {
    write('network.ts', 'changed');
    expect((await codeVersion(folder)).revision).toMatch(/^[0-9a-f]{12}\+changes$/);
  });
});

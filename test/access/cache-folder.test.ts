import { spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { cacheFolder } from '../../shared/access/cache-folder';
import { describeWith, userNamespace } from '../support/needs';

const uid = process.geteuid!();
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'earshot-cache-'));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

it('is in XDG_CACHE_HOME, where that is an absolute path, else below the home of the user', () => {
  const home = join(root, 'home');
  const cache = join(root, 'cache');
  expect(cacheFolder('engine', { HOME: home, XDG_CACHE_HOME: cache })).toBe(join(cache, 'earshot/engine'));
  for (const unset of ['', 'relative/cache']) {
    const found = cacheFolder('engine', { HOME: home, XDG_CACHE_HOME: unset });
    expect(found).toBe(join(home, '.cache/earshot/engine'));
  }
  const { homedir } = userInfo();
  expect(cacheFolder('engine', { HOME: 'relative' })).toBe(join(homedir, '.cache/earshot/engine'));
});

describe('where nothing can be written to it', () => {
  // A file in the folder's place: root cannot write there either.
  const noFolder = (): string => {
    const file = join(root, 'a-file');
    writeFileSync(file, '');
    return file;
  };

  it('is another folder, which its user alone can enter', () => {
    const env = { XDG_CACHE_HOME: noFolder(), TMPDIR: root };
    const own = join(root, `earshot-${uid}`);
    expect(cacheFolder('engine', env)).toBe(join(own, 'engine'));
    expect((lstatSync(own).mode & 0o777).toString(8)).toBe('700');
  });

  it.each([
    [
      'a link',
      (own: string) => {
        symlinkSync(root, own);
      },
    ],
    [
      'open to others',
      (own: string) => {
        mkdirSync(own);
        chmodSync(own, 0o777);
      },
    ],
  ])('is not one among the temporary ones that is %s', (_, make) => {
    const own = join(root, `earshot-${uid}`);
    make(own);
    const found = cacheFolder('engine', { XDG_CACHE_HOME: noFolder(), TMPDIR: root });
    expect(found).not.toContain(own);
  });
});

const trainer = require.resolve('../../services/trainer/main');

/** A user whom no password file knows. */
const asUnknown = ['--map-user=54321'];

describeWith(userNamespace(...asUnknown, 'true'))(
  'a user without an entry in the password file, and without HOME',
  () => {
    it('can use the trainer', () => {
      const isolated = ['--user', ...asUnknown, process.execPath, trainer, 'summary', 'cnn'];
      const { PATH } = process.env;
      const { status, stdout, stderr } = spawnSync('unshare', isolated, {
        env: { PATH, TMPDIR: root },
        encoding: 'utf8',
      });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toContain('4,621,978');
    });
  },
);

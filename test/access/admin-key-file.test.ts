import { execFileSync } from 'node:child_process';
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { readAdminKeys, removeAdminKey, writeAdminKey } from '../../shared/access/admin-key-file';
import { privateFolders } from '../../shared/access/private-folder';
import { describeWith, otherUsers } from '../support/needs';

let root: string;
const servers: Server[] = [];
const key = 'k'.repeat(43);
const other = 'o'.repeat(43);

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'earshot-keys-'));
});
afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await rm(root, { recursive: true, force: true });
});

/** A place where somebody listens, as a service does. */
async function listen(): Promise<{ server: Server; place: { address: string; port: number } }> {
  const server = createServer();
  servers.push(server);
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const { address, port } = server.address() as AddressInfo;
  return { server, place: { address, port } };
}

const modeOf = async (path: string): Promise<string> => ((await lstat(path)).mode & 0o777).toString(8);

describe('the places for a key', () => {
  const uid = process.geteuid!();
  const last = `/tmp/earshot-${uid}`;

  it.each([
    [
      'the state folder first',
      { HOME: '/home/a', XDG_STATE_HOME: '/state', XDG_RUNTIME_DIR: '/run/user/1', TMPDIR: '/scratch' },
      [
        '/state/earshot',
        '/home/a/.local/state/earshot',
        '/run/user/1/earshot',
        `/scratch/earshot-${uid}`,
        last,
      ],
    ],
    [
      'a variable that is empty or relative counts as not set',
      { HOME: '/home/a', XDG_STATE_HOME: '', XDG_RUNTIME_DIR: 'run', TMPDIR: '.' },
      ['/home/a/.local/state/earshot', last],
    ],
    [
      'without HOME the home of the user’s entry',
      { HOME: '' },
      [join(userInfo().homedir, '.local/state/earshot'), last],
    ],
    ['where ADMIN_KEY_DIR says, and nowhere else', { HOME: '/home/a', ADMIN_KEY_DIR: '/keys' }, ['/keys']],
  ])('%s', (_, env, folders) => {
    expect(privateFolders(env)).toEqual(folders);
  });
});

describe('a key', () => {
  it('is in a file that its user alone can read, whatever the umask, in a folder that its user alone can enter', async () => {
    const { place } = await listen();
    for (const umask of [0, 0o277]) {
      const folder = join(root, `below-${umask}`, 'earshot');
      await mkdir(join(folder, '..'), { recursive: true });
      const before = process.umask(umask);
      const file = await writeAdminKey([folder], place, key).finally(() => process.umask(before));
      expect([await modeOf(folder), await modeOf(file)]).toEqual(['700', '600']);
      expect(await readdir(folder)).toHaveLength(1);
      expect(await readAdminKeys([folder])).toEqual([expect.objectContaining({ ...place, key })]);
    }
  });

  it.each([
    ['that others may enter', 'others may read it (its mode is 755)', (path: string) => mkdir(path, 0o755)],
    [
      'that is a link to a good one',
      'it is a symbolic link',
      async (path: string) => {
        await mkdir(join(root, 'good'), 0o700);
        await symlink(join(root, 'good'), path);
      },
    ],
    ['that is a file', 'ENOTDIR', (path: string) => writeFile(path, '')],
  ])('does not go into a folder %s, but into the next', async (_, why, make) => {
    const { place } = await listen();
    const [bad, good] = [join(root, 'bad'), join(root, 'next', 'earshot')];
    await make(bad);
    expect(await writeAdminKey([bad, good], place, key)).toContain(good);
    await expect(writeAdminKey([bad], place, key)).rejects.toThrow(`${bad}: ${why}`);
    expect(await readdir(bad).catch(() => [])).toEqual([]);
    // What somebody else can write to is not believed either.
    expect(await readAdminKeys([bad])).toEqual([]);
  });

  describeWith(otherUsers)('beside other users', () => {
    it('does not go into another user’s folder, nor is a key believed that lies in one', async () => {
      const { place } = await listen();
      const folder = join(root, 'theirs');
      const file = await writeAdminKey([folder], place, key);
      // Only root can give a folder away; for others every folder of root's is another user's.
      const foreign = process.geteuid!() === 0 ? folder : '/usr';
      if (foreign === folder) execFileSync('chown', ['-R', '1', folder]);
      await expect(writeAdminKey([foreign], place, other)).rejects.toThrow(/it belongs to user [01]/);
      expect(await readAdminKeys([foreign])).toEqual([]);
      expect(await readFile(file, 'utf8')).toContain(key);
    });
  });

  it('is not believed where others can read it, where it is a link, or no key at all', async () => {
    const { place } = await listen();
    const folder = join(root, 'earshot');
    const file = await writeAdminKey([folder], place, key);
    await symlink(file, join(folder, 'link.json'));
    await writeFile(join(folder, 'damaged.json'), '{"key":', { mode: 0o600 });
    await writeFile(join(folder, 'huge.json'), 'x'.repeat(100_000), { mode: 0o600 });
    expect(await readAdminKeys([folder, join(root, 'missing')])).toHaveLength(1);
    await chmod(file, 0o644);
    expect(await readAdminKeys([folder])).toEqual([]);
  });

  it('of two services of one user each has its own; of one that was killed it goes when another starts', async () => {
    const folder = join(root, 'earshot');
    const [first, second, third] = [await listen(), await listen(), await listen()];
    const file = await writeAdminKey([folder], first.place, key);
    await writeAdminKey([folder], second.place, other);
    const ports = async (): Promise<number[]> => (await readAdminKeys([folder])).map(({ port }) => port);
    expect((await ports()).sort()).toEqual([first.place.port, second.place.port].sort());
    await new Promise((closed) => first.server.close(closed));
    await writeAdminKey([folder], third.place, key);
    expect((await ports()).sort()).toEqual([second.place.port, third.place.port].sort());
    await expect(lstat(file)).rejects.toThrow('ENOENT');
  });

  it('is taken away by its own service alone', async () => {
    const folder = join(root, 'earshot');
    const { place } = await listen();
    const file = await writeAdminKey([folder], place, key);
    expect(await writeAdminKey([folder], place, other)).toBe(file);
    await removeAdminKey(file, key);
    expect(await readAdminKeys([folder])).toEqual([expect.objectContaining({ key: other })]);
    await removeAdminKey(file, other);
    expect(await readAdminKeys([folder])).toEqual([]);
  });
});

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { deferred } from '../../shared/runtime/deferred';
import { describeWith, otherUsers } from '../support/needs';

const project = join(__dirname, '../../..');
let folder: string;
const running = new Set<ChildProcess>();

/** A copy of the project where only what `npm ci --omit=dev` installs can be found. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-start-'));
  await chmod(folder, 0o755);
  for (const name of ['build.mjs', 'package.json', 'tsconfig.json', 'samples', 'services', 'shared']) {
    await cp(join(project, name), join(folder, name), { recursive: true });
  }
  const lock = JSON.parse(await readFile(join(project, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; optional?: boolean }>;
  };
  for (const [path, { dev, optional }] of Object.entries(lock.packages)) {
    if (!/^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) || dev === true || optional === true) continue;
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await symlink(join(project, path), join(folder, path));
  }
});

afterEach(async () => {
  await Promise.all(
    [...running].map(async (child) => {
      const closed = once(child, 'close');
      process.kill(-child.pid!, 'SIGKILL');
      await closed;
    }),
  );
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

interface Run {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** Waits until it says something. @throws Error with what it said when it ends instead */
  readonly heard: () => Promise<void>;
}

/** @param user a number, for what another user starts; only root can do that */
function run(command: string, args: readonly string[], user?: number): Run {
  const { PATH } = process.env;
  const home = { HOME: tmpdir(), npm_config_cache: join(tmpdir(), `earshot-npm-${user ?? 'own'}`) };
  const service = { PORT: '0', ENGINE: 'wasm', ENCODER: 'off', MODELS_DIR: join(project, 'models') };
  const child = spawn(command, args, {
    cwd: folder,
    env: { PATH, ...home, ...service, NODE_ENV: 'production', ADMIN_KEY_DIR: join(tmpdir(), 'earshot-none') },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    ...(user === undefined ? {} : { uid: user, gid: user }),
  });
  running.add(child);
  let output = '';
  let next = deferred<undefined>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      next.resolve(undefined);
      next = deferred();
    });
  }
  child.once('close', () => {
    running.delete(child);
    next.promise.catch(() => undefined);
    next.reject(new Error(`Ended: ${output}`));
  });
  const heard = async (): Promise<void> => {
    await next.promise;
  };
  return { child, output: () => output, heard };
}

async function endOf({ child, output }: Run): Promise<{ readonly code: number; readonly output: string }> {
  const [code] = (await once(child, 'close')) as [number];
  return { code, output: output() };
}

/** What a started service says of a dog, asked as soon as it listens. */
async function answerOf(service: Run): Promise<string> {
  let url: string | undefined;
  while (url === undefined) {
    url = /"url":"(http[^"]+)"/.exec(service.output())?.[1];
    if (url !== undefined) break;
    await service.heard();
  }
  for (;;) {
    const form = new FormData();
    form.append('audio', new Blob([await readFile(join(project, 'samples', 'dog.ogg'))]), 'dog.ogg');
    const response = await fetch(`${url}/classify`, { method: 'POST', body: form });
    if (response.status === 200) return ((await response.json()) as { label: string }).label;
    expect([503, await response.text()]).toEqual([response.status, expect.stringContaining('starting')]);
    await service.heard();
  }
}

/** What is in dist/, and when each file was written. */
async function written(): Promise<Map<string, number>> {
  const entries = await readdir(join(folder, 'dist'), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return new Map(
    await Promise.all(
      files.map(async ({ parentPath, name }): Promise<[string, number]> => {
        const path = join(parentPath, name);
        return [path, (await stat(path)).mtimeMs];
      }),
    ),
  );
}

async function makeReadOnly(): Promise<number | undefined> {
  if (process.getuid!() === 0) return 65_534;
  const entries = await readdir(join(folder, 'dist'), { recursive: true, withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory());
  for (const { parentPath, name } of folders) await chmod(join(parentPath, name), 0o555);
  await chmod(join(folder, 'dist'), 0o555);
  return undefined;
}

describe('a start', () => {
  it('builds and answers with NODE_ENV=production where no development package is installed', async () => {
    await expect(stat(join(folder, 'node_modules', 'typescript'))).rejects.toThrow('ENOENT');
    await expect(answerOf(run('npm', ['start']))).resolves.toBe('dog');
  });

  it('writes what has changed and nothing else, and takes away what has no source', async () => {
    await endOf(run('node', ['build.mjs']));
    const before = await written();
    const [changed, added] = ['shared/runtime/scratch-folder.ts', 'shared/runtime/added.ts'];
    const source = await readFile(join(folder, changed), 'utf8');
    await writeFile(join(folder, changed), `${source}\nexport const more = 1;\n`);
    await writeFile(join(folder, added), 'export const added = 1;\n');
    const { code, output } = await endOf(run('node', ['build.mjs']));
    expect([code, output]).toEqual([0, '']);
    const after = await written();
    const differing = [...after].filter(([path, at]) => before.get(path) !== at).map(([path]) => path);
    expect(differing.map((path) => path.slice(folder.length)).sort()).toEqual([
      ...['/dist/shared/runtime/added.js', '/dist/shared/runtime/added.js.map'],
      ...['/dist/shared/runtime/scratch-folder.js', '/dist/shared/runtime/scratch-folder.js.map'],
    ]);
    await writeFile(join(folder, changed), source);
    await rm(join(folder, added));
    await endOf(run('node', ['build.mjs']));
    expect([...(await written()).keys()].sort()).toEqual([...before.keys()].sort());
  });

  describeWith(otherUsers)('as another user', () => {
    it('answers from a folder that it cannot write, and says so where the sources have changed', async () => {
      await endOf(run('node', ['build.mjs']));
      const user = await makeReadOnly();
      await expect(answerOf(run('npm', ['start'], user))).resolves.toBe('dog');
      await writeFile(join(folder, 'shared', 'errors', 'added.ts'), 'export const added = 1;\n');
      const { code, output } = await endOf(run('npm', ['start'], user));
      expect(code).toBe(1);
      expect(output).toMatch(/dist was made from other sources, and cannot be written: EACCES/);
    });
  });

  it('shows where a source cannot be read as TypeScript, and starts nothing', async () => {
    await writeFile(join(folder, 'services', 'broken.ts'), 'const = 1;\n');
    const { code, output } = await endOf(run('npm', ['start']));
    expect(code).toBe(1);
    expect(output).toContain('services/broken.ts:1:6');
    expect(output).not.toContain('listening');
  });
});

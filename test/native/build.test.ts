import { execFile, execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { buildKernels } from '../../shared/compute/provide/build-kernels';
import { chooseEngine } from '../../shared/compute/provide/choose-engine';
import { engineCacheFolder } from '../../shared/environment';
import { describeEngine, loadEngine } from '../../shared/compute/provide/load-engine';
import { createNativeNetwork } from '../../shared/compute/kernels/native-network';
import { createNetwork } from '../../shared/compute/network/create-network';
import { describeWith, libtensorflow } from '../support/needs';
import { rejection } from '../support/rejection';
import { provideTestKernels } from '../support/test-engine';

const quiet = { onProgress: (): void => undefined, onFallback: (): void => undefined };
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-kernels-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Runs `work` on a machine whose compiler is `compiler`. */
async function withCompiler<T>(compiler: string, work: () => Promise<T>): Promise<T> {
  const before = process.env['CXX'];
  process.env['CXX'] = compiler;
  try {
    return await work();
  } finally {
    if (before === undefined) delete process.env['CXX'];
    else process.env['CXX'] = before;
  }
}

/** A program that stands for the compiler. */
async function fakeCompiler(name: string, script: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, `#!/bin/bash\n${script}\n`, { mode: 0o755 });
  return file;
}

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('the native kernels', () => {
  it('are built once and found again, and leave nothing but the addon', async () => {
    const lines: string[] = [];
    const mayGoOn = join(folder, 'may-go-on');
    const cacheFolder = join(folder, 'once');
    const compiler = await fakeCompiler(
      'is-waited-for',
      `until [ -e ${mayGoOn} ]; do sleep 0.01; done; echo compiled > "\${@: -1}"`,
    );
    const options = {
      cacheFolder,
      onProgress: (line: string) => {
        lines.push(line);
        if (line === 'Another process builds the native kernels: waiting for them')
          writeFileSync(mayGoOn, '');
      },
    };
    await withCompiler(compiler, async () => {
      // Two at once, as two services that start together: none compiles before the other waits.
      const [first, second] = await Promise.all([buildKernels(options), buildKernels(options)]);
      expect(second).toBe(first);
      const { mtimeMs } = await stat(first);
      await expect(buildKernels(options)).resolves.toBe(first);
      expect((await stat(first)).mtimeMs).toBe(mtimeMs);
      expect(lines.filter((line) => line === 'Building the native kernels')).toHaveLength(1);
      const counts = lines.map((line) => /: (\d+) of (\d+) files$/.exec(line)?.slice(1).map(Number));
      const [count, ...others] = counts.filter((found) => found !== undefined);
      expect(others).toHaveLength(2);
      expect(count![0]).toBeLessThan(count![1]! / 2);
      expect(await readdir(cacheFolder)).toEqual([first.slice(cacheFolder.length + 1)]);
    });
  });

  it.each([
    ['half of it', (file: Buffer) => file.subarray(0, file.length / 2)],
    ['nothing', () => Buffer.alloc(0)],
    ['other bytes', (file: Buffer) => Buffer.alloc(file.length, 7)],
    ['one bit', (file: Buffer) => Buffer.concat([Buffer.of(file[0]! ^ 1), file.subarray(1)])],
  ])('are built anew where the cache holds damaged ones, and said to be: %s', async (_, damage) => {
    const compiler = await fakeCompiler('writes', 'echo compiled > "${@: -1}"');
    const lines: string[] = [];
    const options = { cacheFolder: join(folder, 'damaged'), onProgress: (line: string) => lines.push(line) };
    const addon = await withCompiler(compiler, () => buildKernels(options));
    const whole = await readFile(addon);
    await writeFile(addon, damage(whole));
    lines.length = 0;
    expect(await withCompiler(compiler, () => buildKernels(options))).toBe(addon);
    expect(await readFile(addon)).toEqual(whole);
    expect(lines[0]).toBe('The native kernels in the cache are damaged: building them anew');
    const said = lines.length;
    await withCompiler(compiler, () => buildKernels(options));
    expect(lines).toHaveLength(said);
  });

  it.each([
    ['words, as with a compiler cache', (compiler: string) => ` ${compiler}  --as=c++ `, /^--as=c\+\+ -std/],
    ['one name', (compiler: string) => compiler, /^-std/],
  ])('take the compiler that CXX names: %s', async (name, command, begins) => {
    const said = join(folder, 'arguments');
    const compiler = await fakeCompiler('says', `echo "$@" >> ${said}; echo compiled > "\${@: -1}"`);
    const cacheFolder = join(folder, `named-${name.length}`);
    await withCompiler(command(compiler), () => buildKernels({ cacheFolder, onProgress: quiet.onProgress }));
    for (const line of (await readFile(said, 'utf8')).trim().split('\n')) expect(line).toMatch(begins);
    await rm(said);
  });

  it.each(['', ' '])('take g++ where CXX is "%s"', async (empty) => {
    // One after the other: both set the same variable, and set it back.
    const named = await withCompiler('g++', () => provideTestKernels());
    expect(await withCompiler(empty, () => provideTestKernels())).toBe(named);
  });

  it('name the setting where the cache cannot be made', async () => {
    await writeFile(join(folder, 'file'), '');
    const cacheFolder = join(folder, 'file', 'cache');
    await expect(buildKernels({ cacheFolder, onProgress: quiet.onProgress })).rejects.toMatchObject({
      code: 'engine-unavailable',
      message: expect.stringMatching(/file\/cache.* Set XDG_CACHE_HOME/),
    });
  });

  it('end their compilers, and all that those started, when they are called off, and leave nothing', async () => {
    const cacheFolder = join(folder, 'called-off');
    const pids = join(folder, 'pids');
    const compiler = await fakeCompiler('waits', `sleep 600 & echo $! >> ${pids}; echo $$ >> ${pids}; wait`);
    const stop = new AbortController();
    const built = withCompiler(compiler, () =>
      buildKernels({ cacheFolder, onProgress: quiet.onProgress, signal: stop.signal }),
    );
    const failed = rejection(built);
    const started = async (): Promise<number[]> =>
      (await readFile(pids, 'utf8').catch(() => '')).split('\n').filter(Boolean).map(Number);
    while ((await started()).length < 2) await setTimeout(5);
    stop.abort();
    expect((await failed).code).toBe('cancelled');
    expect(await readdir(cacheFolder)).toEqual([]);
    // Killed, they may still have to be buried.
    for (const pid of await started()) while (isRunning(pid)) await setTimeout(5);
  });

  it('let the system end their compilers first where memory runs short, and say so where it did', async () => {
    const score = join(folder, 'score');
    const compiler = await fakeCompiler('is-killed', `cat /proc/self/oom_score_adj >> ${score}; kill -9 $$`);
    const options = { cacheFolder: join(folder, 'killed'), onProgress: quiet.onProgress };
    const { message } = await rejection(withCompiler(compiler, () => buildKernels(options)));
    expect(message).toMatch(/ended with SIGKILL \(.*memory/);
    expect((await readFile(score, 'utf8')).split('\n')[0]).toBe('1000');
  });

  it('are built in the place of a process that is gone, and not while it lives', async () => {
    const compiler = await fakeCompiler('writes-too', 'echo compiled > "${@: -1}"');
    const lines: string[] = [];
    const options = { cacheFolder: join(folder, 'left'), onProgress: (line: string) => lines.push(line) };
    const addon = await withCompiler(compiler, () => buildKernels(options));
    await rm(addon);
    await writeFile(`${addon}.lock`, 'of a container that is gone');
    const waiting = withCompiler(compiler, () =>
      buildKernels({ ...options, signal: AbortSignal.timeout(500) }),
    );
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
    expect(await readdir(options.cacheFolder)).toEqual([
      `${addon}.lock`.slice(options.cacheFolder.length + 1),
    ]);
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(`${addon}.lock`, longAgo, longAgo);
    await withCompiler(compiler, () => buildKernels(options));
    expect(await readdir(options.cacheFolder)).toEqual([addon.slice(options.cacheFolder.length + 1)]);
  });

  it('compute what is scored without libtensorflow, and WebAssembly does where there is no compiler', async () => {
    const networks = [{ architecture: 'small' }] as const;
    const task = { networks, trains: false };
    const withKernels = await chooseEngine({ wish: 'auto', task, ...quiet });
    expect(withKernels).toMatchObject({ kind: 'cpu', kernels: { path: await provideTestKernels() } });
    expect(withKernels).not.toHaveProperty('bindingPath');
    const reasons: string[] = [];
    const without = await withCompiler('no-such-compiler', () =>
      chooseEngine({ wish: 'auto', task, ...quiet, onFallback: (reason) => reasons.push(reason) }),
    );
    expect(without).toEqual({ kind: 'wasm' });
    expect(reasons).toEqual([
      expect.stringMatching(/WebAssembly computes instead.*g\+\+ is needed: install it/),
    ]);
  });

  it('refuse a network that they do not compute when they are forced, and leave it to TensorFlow otherwise', async () => {
    const network = createNetwork({ architecture: 'cnn', dropout: 0.1, batchNorm: 'applied' }, 10);
    const path = await provideTestKernels();
    const choice = { path, instructionSet: 'baseline', threads: 1, computes: 'networks' } as const;
    expect(createNativeNetwork({ ...choice, forced: false }, network)).toBeUndefined();
    expect(() => createNativeNetwork({ ...choice, forced: true }, network)).toThrow('no native kernels');
  });

  it('let a thread be ended in the middle of a call, and the process go on', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      ...[join(__dirname, '..', 'support', 'end-in-native.js'), await provideTestKernels(), '20'],
    ]);
    expect(stdout).toBe('alive\n');
  });

  it('touch no memory but their own, and do nothing undefined: address and undefined-behaviour sanitizers', async () => {
    // Optimised fully, the instrumented kernels take minutes to compile.
    // node-addon-api casts an object to its class while it is still being made, which vptr forbids.
    const extraFlags = [
      ...['-fsanitize=address,undefined', '-fno-sanitize=vptr', '-fno-sanitize-recover=all'],
      ...['-g1', '-O1'],
    ];
    const cacheFolder = engineCacheFolder();
    const addon = await buildKernels({ cacheFolder, onProgress: quiet.onProgress, extraFlags });
    const library = execFileSync(process.env['CXX'] ?? 'g++', ['-print-file-name=libasan.so'], {
      encoding: 'utf8',
    }).trim();
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [join(__dirname, '..', 'support', 'exercise-kernels.js'), addon],
      { env: { ...process.env, LD_PRELOAD: library, ASAN_OPTIONS: 'detect_leaks=0' } },
    );
    expect(stdout).toBe('clean\n');
  }, 300_000);
});

describeWith(libtensorflow)('the native kernels, where TensorFlow is', () => {
  it('give way to TensorFlow where there is no compiler, with one line that says what it costs', async () => {
    const reasons: string[] = [];
    const choice = await withCompiler('no-such-compiler', () =>
      chooseEngine({ wish: 'cpu', ...quiet, onFallback: (reason) => reasons.push(reason) }),
    );
    expect(choice.kernels).toBeUndefined();
    expect(reasons).toEqual([expect.stringMatching(/times slower: .*g\+\+ is needed/)]);
  });

  it('are refused with the reason when they are forced and there is no compiler', async () => {
    const forced = withCompiler('no-such-compiler', () =>
      chooseEngine({ wish: 'cpu', kernels: 'native', ...quiet }),
    );
    await expect(forced).rejects.toMatchObject({
      code: 'engine-unavailable',
      message: expect.stringContaining('g++ is needed'),
    });
  });

  it('stand in the engine description of the networks they compute, and are not used when not wanted', async () => {
    const cnn = { architecture: 'cnn', dropout: 0.1, batchNorm: 'counted' } as const;
    const native = await loadEngine(
      await chooseEngine({ wish: 'cpu', kernels: 'native', threads: 2, ...quiet }),
    );
    expect(describeEngine(native, cnn)).toMatch(/^cpu \(native (avx512|avx2|baseline) kernels, 2 threads\)$/);
    expect(describeEngine(native, { ...cnn, batchNorm: 'applied' })).toContain('libtensorflow');
    const reference = await loadEngine(await chooseEngine({ wish: 'cpu', kernels: 'reference', ...quiet }));
    expect(describeEngine(reference, cnn)).toContain('libtensorflow');
  });
});

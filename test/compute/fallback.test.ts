import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { chooseEngine, type ChooseOptions } from '../../shared/compute/provide/choose-engine';
import { provideEngine } from '../../shared/compute/provide/provide';
import { chooseTestEngine, provideTestKernels } from '../support/test-engine';
import { describeWith, fileNeeds, libtensorflow, program } from '../support/needs';
import { ServiceProcess } from '../support/service-process';

fileNeeds(libtensorflow);

const networks = [{ architecture: 'encoder' }] as const;
const scoring = { networks, trains: false };
let folder: string;
let reasons: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-fallback-'));
  reasons = [];
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

function choose(options: Partial<ChooseOptions>): ReturnType<typeof chooseEngine> {
  return chooseEngine({
    wish: 'auto',
    cacheFolder: join(folder, 'cache'),
    threads: 1,
    root: folder,
    onProgress: () => undefined,
    onFallback: (reason) => reasons.push(reason),
    ...options,
  });
}

/** A libtensorflow that is complete as far as its receipt tells. @returns its binding's path */
async function putLibtensorflow(
  cache: string,
  kind: 'cpu' | 'cuda',
  binding: string | Buffer,
): Promise<string> {
  const real = await chooseTestEngine();
  const name = basename(dirname((real as { bindingPath: string }).bindingPath)).replace('cpu', kind);
  const place = join(cache, name);
  await mkdir(place, { recursive: true });
  const file = join(place, 'tfjs_binding.node');
  await writeFile(file, binding);
  const { size } = await stat(file);
  await writeFile(join(place, 'receipt.json'), JSON.stringify({ 'tfjs_binding.node': size }));
  return file;
}

/** A shared library, compiled from C++. */
async function compileLibrary(name: string, source: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(`${file}.cc`, source);
  execFileSync('g++', ['-shared', '-fPIC', `${file}.cc`, '-o', file]);
  return file;
}

async function putProcessor(flags: string): Promise<void> {
  await mkdir(join(folder, 'proc'));
  const facts = `processor\t: 0\nmodel name\t: An Old One\nflags\t\t: fpu sse sse2 ${flags}\n`;
  await writeFile(join(folder, 'proc', 'cpuinfo'), facts);
}

/**
 * A machine with a card; the driver's library is on the loader's path for as long as `work` runs, if it
 * is given.
 */
async function withCard<T>(librariesFolder: string | undefined, work: () => Promise<T>): Promise<T> {
  await mkdir(join(folder, 'dev'));
  await writeFile(join(folder, 'dev', 'nvidiactl'), '');
  const before = process.env['LD_LIBRARY_PATH'];
  if (librariesFolder !== undefined) process.env['LD_LIBRARY_PATH'] = librariesFolder;
  try {
    return await work();
  } finally {
    if (before === undefined) delete process.env['LD_LIBRARY_PATH'];
    else process.env['LD_LIBRARY_PATH'] = before;
  }
}

describe('ENGINE=auto, where an engine is there and does not load', () => {
  it('serves on the next one, with a warning that names the cause', async () => {
    const binding = await putLibtensorflow(join(folder, 'earshot', 'engine'), 'cpu', 'no library');
    const service = new ServiceProcess({
      ENGINE: 'auto',
      ENGINE_KERNELS: 'reference',
      XDG_CACHE_HOME: folder,
    });
    try {
      const warning = await service.line('cpu engine unavailable');
      expect(warning.level).toBe(40);
      expect(warning.msg).toContain(binding);
      expect(await service.lineWith({ msg: 'the model is loaded and warmed up' })).toMatchObject({
        engine: expect.stringMatching(/^wasm/),
      });
      const { status } = await fetch(`${await service.url()}/readyz`);
      expect(status).toBe(200);
    } finally {
      await service.kill();
    }
  });

  it('outlives a library that ends the process which loads it', async () => {
    const deadly = await compileLibrary(
      'deadly.node',
      '#include <csignal>\n__attribute__((constructor)) static void load() { raise(SIGILL); }',
    );
    await putLibtensorflow(join(folder, 'cache'), 'cpu', await readFile(deadly));
    expect(await choose({ kernels: 'reference' })).toEqual({ kind: 'wasm' });
    expect(reasons).toEqual([expect.stringContaining('SIGILL')]);
    // It is not tried again for every version that is loaded.
    await writeFile(deadly, '');
    await choose({ kernels: 'reference' });
    expect(reasons).toHaveLength(2);
  });

  it('takes the kernels where CUDA does not load', async () => {
    await compileLibrary('libcuda.so.1', '');
    await putLibtensorflow(join(folder, 'cache'), 'cuda', 'no library');
    const kernels = await provideTestKernels();
    await symlink(kernels, join(folder, 'cache', basename(kernels)));
    const choice = await withCard(folder, () => choose({ task: scoring }));
    expect(choice).toMatchObject({ kind: 'cpu', kernels: { threads: 1 } });
    expect(reasons).toEqual([
      expect.stringMatching(/^cuda engine unavailable: Cannot load the cuda engine: /),
    ]);
  });

  it('fetches no CUDA where the machine has a card that is not given to the process, and says so', async () => {
    const kernels = await provideTestKernels();
    await mkdir(join(folder, 'cache'));
    await symlink(kernels, join(folder, 'cache', basename(kernels)));
    await withCard(undefined, async () => {
      expect(await choose({ task: scoring })).toMatchObject({ kind: 'cpu' });
      expect(reasons).toEqual([
        expect.stringMatching(/not given to this process: libcuda\.so\.1: .*--gpus all/),
      ]);
      await expect(choose({ wish: 'cuda' })).rejects.toMatchObject({
        code: 'engine-unavailable',
        message: expect.stringContaining('--gpus all'),
      });
    });
  });

  it('takes WebAssembly where the kernels in the cache are whole and do not load', async () => {
    const content = Buffer.from('compiled for something else');
    const seal = createHash('sha256').update(content).digest();
    await mkdir(join(folder, 'cache'));
    await writeFile(
      join(folder, 'cache', basename(await provideTestKernels())),
      Buffer.concat([content, seal]),
    );
    expect(await choose({ task: scoring })).toEqual({ kind: 'wasm' });
    expect(reasons).toEqual([
      expect.stringMatching(/WebAssembly computes instead.*kernels do not load: .*\.node/),
    ]);
  });
});

describe('a processor without AVX', () => {
  it('gets no libtensorflow: auto says why and takes WebAssembly, and what is forced is refused in a sentence', async () => {
    await putProcessor('ssse3');
    expect(await choose({ kernels: 'reference' })).toEqual({ kind: 'wasm' });
    const sentence = 'libtensorflow needs a processor with AVX, which An Old One has not';
    expect(reasons).toEqual([expect.stringContaining(sentence)]);
    for (const wish of ['cpu'] as const) {
      await expect(choose({ wish, kernels: 'reference' })).rejects.toMatchObject({
        code: 'engine-unavailable',
        message: expect.stringContaining(sentence),
      });
    }
  });

  it.each([
    ['has it', 'avx'],
    ['is of another make, which lists its features otherwise', undefined],
  ])('is not seen in one that %s', async (_, flags) => {
    if (flags !== undefined) await putProcessor(flags);
    await putLibtensorflow(join(folder, 'cache'), 'cpu', 'no library');
    const choice = await choose({ wish: 'cpu', kernels: 'reference' });
    expect(choice).toMatchObject({ kind: 'cpu' });
  });
});

describeWith(program('python3'))('pip (needs python3)', () => {
  it.each([
    ['its environment', { PIP_REQUIRE_VIRTUALENV: 'true' }],
    ['its environment, by the short name', { PIP_REQUIRE_VENV: '1' }],
    ['its configuration', { PIP_CONFIG_FILE: 'pip.conf' }],
  ])('fetches although %s lets it install in virtual environments alone', async (_, wish) => {
    await writeFile(join(folder, 'pip.conf'), '[global]\nrequire-virtualenv = true\n');
    const given = Object.entries({ ...wish, PIP_NO_INDEX: '1' }).map(([name, value]) => {
      return [name, value === 'pip.conf' ? join(folder, value) : value] as const;
    });
    const before = process.env;
    process.env = { ...before, ...Object.fromEntries(given) };
    try {
      // It gets as far as there is no network.
      const fetching = provideEngine('cpu', {
        cacheFolder: join(folder, 'cache'),
        onProgress: () => undefined,
      });
      await expect(fetching).rejects.toThrow('No matching distribution');
    } finally {
      process.env = before;
    }
  });
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findKernels } from '../../shared/compute/provide/build-kernels';
import { cachedEncoderFile, findEncoder } from '../../shared/compute/provide/provide-encoder';
import { identifyProcess, livingProcess, writeProcess } from '../../shared/runtime/processes/process-lock';
import { provideTestKernels } from '../support/test-engine';

const required = (module: string): string => JSON.stringify(require.resolve(`../../${module}`));
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-engine-shortage-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/**
 * What each way to look something up says in a process that has no descriptor left, and then with some
 * again.
 */
const script = `
  const { openSync, closeSync } = require('node:fs');
  const { findKernels } = require(${required('shared/compute/provide/build-kernels')});
  const { chooseEngine } = require(${required('shared/compute/provide/choose-engine')});
  const { provideEngine } = require(${required('shared/compute/provide/provide')});
  const { findEncoder } = require(${required('shared/compute/provide/provide-encoder')});
  const { runTool } = require(${required('shared/compute/provide/run-tool')});
  const { livingProcess } = require(${required('shared/runtime/processes/process-lock')});
  const { cacheFolder } = require(${required('shared/access/cache-folder')});
  const { usableCores } = require(${required('shared/runtime/usable-cores')});
  const { AppError } = require(${required('shared/errors/app-error')});
  const { isShortage } = require(${required('shared/errors/machine-fault')});
  const [folder] = process.argv.slice(1);
  const fellBack = [];
  const ways = {
    encoder: () => findEncoder('auto', folder),
    kernels: () => findKernels(folder),
    lock: () => livingProcess(folder + '/owner.lock'),
    cache: async () => cacheFolder('engine', { XDG_CACHE_HOME: folder }),
    cores: async () => usableCores(),
    engine: () => chooseEngine({
      wish: 'auto', task: { networks: [{ architecture: 'encoder' }], trains: false }, cacheFolder: folder, threads: 1,
      onProgress: () => {}, onFallback: (reason) => fellBack.push(reason),
    }),
    tool: () => runTool(process.execPath, ['--version'], { purpose: 'ask', install: 'node' }),
    libtensorflow: () => provideEngine('cpu', { cacheFolder: folder, onProgress: () => {}, signal: AbortSignal.abort() }),
  };
  const ask = async (ways) => {
    const told = {};
    for (const [name, way] of Object.entries(ways)) {
      told[name] = await way().then(() => 'fine', (error) => isShortage(error) ? 'shortage: ' + error.message : error.code);
    }
    return told;
  };
  (async () => {
    // What is loaded at the first use is there; the encoder's digest would be remembered.
    await ask({ ...ways, encoder: async () => {} });
    const held = [];
    try { for (;;) held.push(openSync('/dev/null')); } catch {}
    const during = await ask(ways);
    held.forEach((descriptor) => closeSync(descriptor));
    console.log(JSON.stringify({ during, after: await ask(ways), fellBack }));
  })();`;

it('a process without descriptors takes no engine, encoder or lock for missing because it cannot look', async () => {
  const [kernels] = await Promise.all([
    provideTestKernels(),
    writeProcess(join(folder, 'owner.lock'), process.pid),
  ]);
  await copyFile(kernels, join(folder, kernels.split('/').at(-1)!));
  await writeFile(cachedEncoderFile(folder), 'an encoder');
  const shell = 'ulimit -n 64 && exec "$0" -e "$1" "$2"';
  const child = spawn('sh', ['-c', shell, process.execPath, script, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  await once(child, 'close');
  const { during, after, fellBack } = JSON.parse(output) as Record<string, Record<string, string>>;
  const shortage = expect.stringMatching(/^shortage: .*EMFILE/);
  expect(during).toEqual({
    encoder: shortage,
    kernels: shortage,
    lock: shortage,
    cache: shortage,
    cores: shortage,
    engine: shortage,
    tool: shortage,
    libtensorflow: shortage,
  });
  expect(during!['encoder']).toContain(folder);
  expect(fellBack).toEqual([]);
  const { libtensorflow, ...others } = after!;
  expect(new Set(Object.values(others))).toEqual(new Set(['fine']));
  // It has begun to fetch, and was called off.
  expect(libtensorflow).toBe('cancelled');
});

it('what is there and cannot be read is named with its path and the cause, and is not fetched or built again', async () => {
  // A folder in a file's place: also root cannot read it.
  await mkdir(cachedEncoderFile(folder));
  await expect(findEncoder('auto', folder)).rejects.toThrow(
    /^The encoder in the cache cannot be read: EISDIR/,
  );
  const kernels = join(folder, (await provideTestKernels()).split('/').at(-1)!);
  await mkdir(kernels);
  await expect(findKernels(folder)).rejects.toThrow(
    /^The native kernels in the cache cannot be read: EISDIR/,
  );
  await mkdir(join(folder, 'owner.lock'));
  await expect(livingProcess(join(folder, 'owner.lock'))).rejects.toThrow('EISDIR');
});

it('a process that is not there is none, and nothing that cannot be looked at', async () => {
  expect(await identifyProcess(2 ** 22 + 1)).toBeUndefined();
  expect(await livingProcess(join(folder, 'nobody.lock'))).toBeUndefined();
});

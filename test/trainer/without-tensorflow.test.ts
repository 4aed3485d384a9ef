import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheWithKernels } from '../support/kernels-cache';
import { writeToneDataset } from '../support/tone-dataset';

const main = join(__dirname, '..', '..', 'services', 'trainer', 'main.js');
let folder: string;
let cache: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-without-'));
  await writeToneDataset(join(folder, 'data'));
  cache = await cacheWithKernels(join(folder, 'cache'));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Trains on a machine with neither pip nor a compiler. @returns what it printed */
async function train(name: string, args: readonly string[], kernels = 'auto'): Promise<string> {
  const env = {
    PATH: '/nonexistent',
    HOME: folder,
    XDG_CACHE_HOME: cache,
    ENGINE_KERNELS: kernels,
    RUNS_DIR: join(folder, name, 'runs'),
    MODELS_DIR: join(folder, name, 'models'),
  };
  const all = [main, 'train', `--data=${join(folder, 'data')}`, ...args];
  const { stdout } = await promisify(execFile)(process.execPath, all, { env });
  return stdout;
}

describe('training without TensorFlow', () => {
  it.each([
    ['small', []],
    ['cnn', ['--epochs=1', '--batch-size=4']],
    ['transformer', ['--epochs=1', '--batch-size=4', '--heads=1', '--hidden=8']],
  ])('takes nothing but the kernels for %s', async (architecture, options) => {
    const output = await train(architecture, [`--architecture=${architecture}`, ...options]);
    expect(output).toMatch(/engine cpu \(native \w+ kernels/);
    const models = join(folder, architecture, 'models');
    const version = (await readdir(models)).find((name) => name.startsWith(architecture));
    const manifest = await readFile(join(models, version!, 'manifest.json'), 'utf8');
    expect(manifest).toMatch(/native \w+ kernels/);
    expect(await readdir(join(cache, 'earshot', 'engine'))).toHaveLength(1);
  });

  it('says what is missing where the reference is to train', async () => {
    await expect(train('reference', ['--architecture=cnn'], 'reference')).rejects.toMatchObject({
      code: 69,
      stderr: expect.stringContaining('python3 with pip'),
    });
  });
});

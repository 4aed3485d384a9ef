import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { melViews } from '../../shared/contracts/front-end';
import { openRegistry } from '../../shared/registry/registry';
import { publishRandomModel } from '../support/random-model';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-registry-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function setMetrics(version: string, accuracy: number, loss: number): Promise<void> {
  const file = join(folder, version, 'manifest.json');
  const manifest = JSON.parse(await readFile(file, 'utf8')) as { metrics: Record<string, number> };
  manifest.metrics['validationAccuracy'] = accuracy;
  manifest.metrics['validationLoss'] = loss;
  await writeFile(file, JSON.stringify(manifest));
}

describe('the registry', () => {
  it('chooses the highest validation accuracy, ties by the lower loss', async () => {
    for (const name of ['a', 'b', 'c']) await publishRandomModel(folder, name);
    await setMetrics('a', 0.5, 1);
    await setMetrics('b', 0.6, 2);
    await setMetrics('c', 0.6, 1.5);
    const chosen = await openRegistry(folder).choose();
    expect(chosen.manifest.version).toBe('c');
  });

  it('chooses a multi-label version last, and refuses one without a threshold for each class', async () => {
    for (const name of ['a', 'several', 'torn']) await publishRandomModel(folder, name);
    await setMetrics('a', 0.1, 1);
    await setMetrics('several', 0.9, 1);
    const change = async (name: string, thresholds: number): Promise<void> => {
      const file = join(folder, name, 'manifest.json');
      const manifest = JSON.parse(await readFile(file, 'utf8')) as { classes: string[] };
      const calibration = {
        temperature: 1,
        unknownBelow: 0,
        thresholds: manifest.classes.slice(0, thresholds).map(() => 0.5),
      };
      const network = { architecture: 'encoder', multiLabel: true };
      await writeFile(file, JSON.stringify({ ...manifest, network, calibration }));
    };
    await change('several', 1000);
    await change('torn', 1);
    const { versions, broken } = await openRegistry(folder).list();
    expect(versions.map(({ manifest }) => manifest.version)).toEqual(['a', 'several']);
    expect(broken).toEqual([{ name: 'torn', problem: expect.stringContaining('thresholds') as string }]);
  });

  it('chooses the pinned version, and refuses when it is not there', async () => {
    for (const name of ['a', 'b']) await publishRandomModel(folder, name);
    await setMetrics('b', 1, 0);
    const chosen = await openRegistry(folder).choose('a');
    expect(chosen.manifest.version).toBe('a');
    await expect(openRegistry(folder).choose('z')).rejects.toMatchObject({ code: 'invalid-checkpoint' });
  });

  it('names a damaged version and passes it over', async () => {
    for (const name of ['good', 'cut', 'flipped', 'torn', 'bare']) await publishRandomModel(folder, name);
    await setMetrics('good', 0.1, 9);
    await truncate(join(folder, 'cut', 'weights.bin'), 100);
    const weights = await readFile(join(folder, 'flipped', 'weights.bin'));
    weights[1000]! ^= 1;
    await writeFile(join(folder, 'flipped', 'weights.bin'), weights);
    await truncate(join(folder, 'torn', 'manifest.json'), 50);
    await rm(join(folder, 'bare', 'weights.bin'));
    const registry = openRegistry(folder);
    const { broken } = await registry.list();
    expect(Object.fromEntries(broken.map(({ name, problem }) => [name, problem]))).toEqual({
      cut: expect.stringContaining('100 bytes'),
      flipped: expect.stringContaining('sha256'),
      torn: expect.stringContaining('not JSON'),
      bare: expect.stringContaining('missing'),
    });
    const chosen = await registry.choose();
    expect(chosen.manifest.version).toBe('good');
  });

  it('takes no version whose networks cannot take turns at its views', async () => {
    const changes = { frontEnd: melViews };
    await publishRandomModel(folder, 'whole', { changes: { ...changes, members: 4 } });
    await publishRandomModel(folder, 'odd', { changes: { ...changes, members: 3 } });
    const { versions, broken } = await openRegistry(folder).list();
    expect(versions.map(({ manifest }) => manifest.version)).toEqual(['whole']);
    expect(broken).toEqual([
      { name: 'odd', problem: expect.stringContaining('3 networks cannot take turns at 2 views') },
    ]);
  });

  it('refuses to overwrite a version', async () => {
    await publishRandomModel(folder, 'a');
    await expect(publishRandomModel(folder, 'a')).rejects.toMatchObject({ code: 'invalid-checkpoint' });
  });

  it('says what to do when there is nothing to serve', async () => {
    await expect(openRegistry(join(folder, 'none')).choose()).rejects.toThrow('npm run train');
  });

  it('shows only whole versions when a writer is killed at any moment', async () => {
    const script = `
      const { publishRandomModel } = require(${JSON.stringify(join(__dirname, '..', 'support', 'random-model.js'))});
      (async () => {
        for (let i = 0; ; i++) { await publishRandomModel(process.argv[1], process.pid + '-' + i); console.log(i); }
      })();`;
    for (let round = 0; round < 5; round++) {
      const writer = spawn(process.execPath, ['-e', script, folder], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(writer.stdout, 'data');
      // Somewhere in the middle of the next version: after a share of the time that one takes.
      for (let turn = 0; turn < round * 400; turn++) await new Promise(setImmediate);
      writer.kill('SIGKILL');
      await once(writer, 'exit');
      const { versions, broken } = await openRegistry(folder).list();
      expect(broken).toEqual([]);
      expect(versions.length).toBeGreaterThan(round);
    }
    await publishRandomModel(folder, 'after');
    expect((await readdir(folder)).filter((name) => name.startsWith('.'))).toEqual([]);
  });
});

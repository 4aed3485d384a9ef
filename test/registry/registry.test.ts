import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reportFrontEnd, smallFrontEnd } from '../../shared/contracts/front-end';
import type { Manifest } from '../../shared/contracts/manifest';
import { openRegistry } from '../../shared/registry/registry';
import { publishRandomModel } from '../support/random-model';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-registry-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** A hundredth of the parameters of the usual one, where many are published. */
const small: Partial<Manifest> = {
  frontEnds: [smallFrontEnd],
  members: [{ frontEnd: 0, network: { architecture: 'small' } }],
};

async function publishSmall(...names: readonly string[]): Promise<void> {
  for (const name of names) await publishRandomModel(folder, name, { changes: small });
}

async function setMetrics(version: string, accuracy: number, loss: number): Promise<void> {
  const file = join(folder, version, 'manifest.json');
  const manifest = JSON.parse(await readFile(file, 'utf8')) as { metrics: Record<string, number> };
  manifest.metrics['validationAccuracy'] = accuracy;
  manifest.metrics['validationLoss'] = loss;
  await writeFile(file, JSON.stringify(manifest));
}

describe('the registry', () => {
  it('chooses the highest validation accuracy, ties by the lower loss', async () => {
    await publishSmall('a', 'b', 'c');
    await setMetrics('a', 0.5, 1);
    await setMetrics('b', 0.6, 2);
    await setMetrics('c', 0.6, 1.5);
    const chosen = await openRegistry(folder).choose();
    expect(chosen.manifest.version).toBe('c');
  });

  it('chooses a multi-label version last, and refuses one without a threshold for each class', async () => {
    await publishSmall('a', 'several', 'torn');
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
      const members = [{ frontEnd: 0, network: { architecture: 'encoder', multiLabel: true } }];
      await writeFile(file, JSON.stringify({ ...manifest, members, calibration }));
    };
    await change('several', 1000);
    await change('torn', 1);
    const { versions, broken } = await openRegistry(folder).list();
    expect(versions.map(({ manifest }) => manifest.version)).toEqual(['a', 'several']);
    expect(broken).toEqual([{ name: 'torn', problem: expect.stringContaining('thresholds') as string }]);
  });

  it('chooses the pinned version, and refuses when it is not there', async () => {
    await publishSmall('a', 'b');
    await setMetrics('b', 1, 0);
    const chosen = await openRegistry(folder).choose('a');
    expect(chosen.manifest.version).toBe('a');
    await expect(openRegistry(folder).choose('z')).rejects.toMatchObject({ code: 'invalid-checkpoint' });
  });

  it('names a damaged version and passes it over', async () => {
    await publishSmall('good', 'cut', 'flipped', 'torn', 'bare');
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

  it('takes no version whose members and front ends do not fit', async () => {
    const network = { architecture: 'cnn', dropout: 0.1, batchNorm: 'counted' } as const;
    const of = (...frontEnds: number[]): Manifest['members'] =>
      frontEnds.map((frontEnd) => ({ frontEnd, network })) as Manifest['members'];
    const [long, short] = [reportFrontEnd, { ...reportFrontEnd, hopSeconds: 0.25 }];
    const compositions: Record<string, readonly [changes: Partial<Manifest>, problem: string]> = {
      lost: [{ frontEnds: [long], members: of(0, 1) }, 'no front end 1'],
      idle: [{ frontEnds: [long, short], members: of(0, 0) }, 'one has no member'],
      twice: [{ frontEnds: [long, { ...long }], members: of(0, 1) }, 'two are equal'],
      slower: [{ frontEnds: [long, { ...short, sampleRate: 32_000 }], members: of(0, 1) }, 'sample rate'],
    };
    const whole: Partial<Manifest> = { frontEnds: [long, short], members: of(0, 1, 1) };
    for (const [name, changes] of [
      ['whole', whole] as const,
      ...Object.entries(compositions).map(([name, [changes]]) => [name, changes] as const),
    ]) {
      await publishRandomModel(folder, name, { changes: { ...changes, members: of(0) } });
      const file = join(folder, name, 'manifest.json');
      const manifest = JSON.parse(await readFile(file, 'utf8')) as Manifest;
      await writeFile(file, JSON.stringify({ ...manifest, ...changes }));
    }
    const { versions, broken } = await openRegistry(folder).list();
    expect(versions.map(({ manifest }) => manifest.version)).toEqual(['whole']);
    const problems = new Map(broken.map(({ name, problem }) => [name, problem]));
    expect(problems.size).toBe(Object.keys(compositions).length);
    for (const [name, [, problem]] of Object.entries(compositions)) {
      expect(problems.get(name)).toContain(problem);
    }
  });

  it('passes over a version of another format, and says what to do', async () => {
    await publishSmall('present', 'earlier', 'later');
    for (const [name, formatVersion] of [
      ['earlier', 1],
      ['later', 3],
    ] as const) {
      const file = join(folder, name, 'manifest.json');
      const manifest = JSON.parse(await readFile(file, 'utf8')) as object;
      await writeFile(file, JSON.stringify({ ...manifest, formatVersion }));
    }
    const registry = openRegistry(folder);
    expect((await registry.choose()).manifest.version).toBe('present');
    const { broken } = await registry.list();
    expect(new Map(broken.map(({ name, problem }) => [name, problem]))).toEqual(
      new Map([
        ['earlier', expect.stringMatching(/of format 1, .* reads format 2: train the version anew/)],
        ['later', expect.stringMatching(/of format 3, .* made by a later release/)],
      ]),
    );
  });

  it('passes over a version of a front end that is gone, and says what to do', async () => {
    await publishSmall('present', 'earlier');
    const file = join(folder, 'earlier', 'manifest.json');
    const manifest = JSON.parse(await readFile(file, 'utf8')) as object;
    await writeFile(file, JSON.stringify({ ...manifest, frontEnds: [{ kind: 'log-mel' }] }));
    const { versions, broken } = await openRegistry(folder).list();
    expect(versions.map(({ manifest: { version } }) => version)).toEqual(['present']);
    expect(broken).toEqual([
      {
        name: 'earlier',
        problem: expect.stringMatching(/frontEnds\.0\.kind: .* train the version anew/) as string,
      },
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

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { manifestSchema, type Manifest } from '../../shared/contracts/manifest';
import { reportSchema } from '../../shared/contracts/report';
import { startInference } from '../../shared/compute/inference/start-inference';
import { openRegistry } from '../../shared/registry/registry';
import { fileNeeds, libtensorflow } from '../support/needs';
import { chooseTestEngine } from '../support/test-engine';
import { writeToneDataset } from '../support/tone-dataset';

fileNeeds(libtensorflow);

const main = join(__dirname, '..', '..', 'services', 'trainer', 'main.js');
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-mel-training-'));
  await writeToneDataset(join(folder, 'data'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs the trainer to its end, or kills it when a line starts with `killAt`. */
async function train(name: string, args: readonly string[], killAt?: string): Promise<string> {
  const options = [
    '--architecture=mel-small',
    '--batch-size=2',
    '--epochs=2',
    '--steps-per-epoch=6',
    '--seed=3',
  ];
  const child = spawn(
    process.execPath,
    [main, 'train', ...options, `--data=${join(folder, 'data')}`, ...args],
    {
      env: {
        ...process.env,
        ENGINE: 'cpu',
        RUNS_DIR: join(folder, name, 'runs'),
        MODELS_DIR: join(folder, name, 'models'),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (killAt !== undefined && output.includes(killAt)) child.kill('SIGKILL');
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  expect({ code, output: code === 0 ? '' : output }).toEqual({
    code: killAt === undefined ? 0 : null,
    output: expect.any(String),
  });
  return output;
}

async function publishedManifest(name: string): Promise<Manifest> {
  const models = join(folder, name, 'models');
  const [version] = await readdir(models);
  return manifestSchema.parse(JSON.parse(await readFile(join(models, version!, 'manifest.json'), 'utf8')));
}

/** Six whole processes, each with an engine of its own. */
jest.setTimeout(180_000);

describe('training mel', () => {
  it('ends with the same bits when it was killed on the way and resumed', async () => {
    await train('whole', []);
    await train('killed', [], 'epoch 1/2');
    await train('killed', ['--resume']);
    const [whole, killed] = [await publishedManifest('whole'), await publishedManifest('killed')];
    expect(killed.weights.sha256).toBe(whole.weights.sha256);
    expect(whole.calibration!.temperature).toBeGreaterThan(0);
    expect(whole.calibration!.unknownBelow).toBeGreaterThan(0);
    expect(whole.members).toMatchObject([{ frontEnd: 0, network: { familiarity: true } }]);
    expect(whole.frontEnds.map(({ kind }) => kind)).toEqual(['log-mel']);
  });

  it('trains a network of `mel` for each front end, and publishes them together', async () => {
    await train('two', ['--architecture=mel']);
    const runs = await readdir(join(folder, 'two', 'runs'));
    expect(runs.map((name) => name.split('-')[1]).sort()).toEqual(['n4096', 'n512']);
    const manifest = await publishedManifest('two');
    expect(manifest).toMatchObject({
      members: [0, 1].map((frontEnd) => ({ frontEnd, network: { architecture: 'mel', width: 12 } })),
      parameters: 2 * 78_511,
      epochRule: 'last',
      protocol: { testFold: 1, validationFold: 2, trainFolds: [3, 4, 5] },
    });
    expect(manifest.frontEnds).toMatchObject([{ fftSamples: 4096 }, { fftSamples: 512 }]);
    const { evaluations } = reportSchema.parse(
      JSON.parse(await readFile(join(folder, 'two', 'models', manifest.version, 'report.json'), 'utf8')),
    );
    expect([evaluations.last.validation.clips, evaluations.last.test?.clips]).toEqual([2, 2]);
    expect(evaluations.best).toBeUndefined();
    // Both are found again, finished: nothing is trained twice, and the version is the one that is
    // there.
    const again = await train('two', ['--architecture=mel', '--resume']);
    expect(again).not.toContain('epoch 1/2');
    expect((await publishedManifest('two')).weights.sha256).toBe(manifest.weights.sha256);
    expect(await readdir(join(folder, 'two', 'models'))).toHaveLength(1);
  });

  it('publishes the networks of a cross-validation together, which answer as one', async () => {
    const output = await train('together', ['--cross-validate', '--epochs=1', '--seeds=2']);
    expect(output).toContain('over 2 seeds');
    const [version] = (await openRegistry(join(folder, 'together', 'models')).list()).versions;
    expect(version!.manifest.members).toHaveLength(4);
    expect(version!.manifest).toMatchObject({
      epochRule: 'last',
      parameters: 4 * 78_511,
      protocol: { testFold: 1, validationFold: null, trainFolds: [2, 3, 4, 5] },
    });
    const report = reportSchema.parse(
      JSON.parse(await readFile(join(version!.folder, 'report.json'), 'utf8')),
    );
    // Each of the eight clips of folds 2 to 5 was judged once, by the network that did not know it.
    expect(report.evaluations.last.validation.clips).toBe(8);
    expect(report.evaluations.last.test?.clips).toBe(2);
    expect(report.crossValidation?.folds.map(({ last }) => last.testAccuracy)).toEqual(
      new Array(4).fill(undefined),
    );
    expect(await readFile(join(version!.folder, 'report.html'), 'utf8')).toContain('Unknown');

    const tone = Float32Array.from(
      { length: 220_500 },
      (_, i) => 0.4 * Math.sin((2 * Math.PI * 3000 * i) / 44_100),
    );
    const answers: Float32Array[] = [];
    const familiar: number[][] = [];
    for (const wish of ['cpu', 'wasm'] as const) {
      const choice = await chooseTestEngine(wish);
      const inference = await startInference({
        choice,
        version: version!,
        warmUpBatches: [1],
        limitMs: 60_000,
      });
      const { probabilities, evidence } = await inference.infer([tone, tone.subarray(0, 50_000)]);
      answers.push(...probabilities);
      familiar.push(evidence!.map((row) => row[0]!));
      await inference.close();
    }
    expect(answers[0]!.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    for (const window of [0, 1]) {
      expect(Math.abs(familiar[0]![window]! - familiar[1]![window]!)).toBeLessThan(1e-4);
      expect(familiar[0]![window]).toBeGreaterThan(0);
      expect(familiar[0]![window]).toBeLessThan(1);
      answers[window]!.forEach((probability, index) => {
        expect(Math.abs(answers[window + 2]![index]! - probability)).toBeLessThan(1e-4);
      });
    }
  });
});

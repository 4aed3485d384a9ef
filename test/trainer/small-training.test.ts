import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { manifestSchema, type Manifest } from '../../shared/contracts/manifest';
import { reportSchema } from '../../shared/contracts/report';
import { startInference } from '../../shared/compute/inference/start-inference';
import { openRegistry } from '../../shared/registry/registry';
import { chooseTestEngine } from '../support/test-engine';
import { writeToneDataset } from '../support/tone-dataset';

const main = join(__dirname, '..', '..', 'services', 'trainer', 'main.js');
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-small-training-'));
  await writeToneDataset(join(folder, 'data'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs the trainer to its end. */
async function train(name: string, args: readonly string[]): Promise<string> {
  const options = ['--architecture=small', '--seed=3'];
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
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  expect({ code, output: code === 0 ? '' : output }).toEqual({
    code: 0,
    output: expect.any(String),
  });
  return output;
}

async function publishedManifest(name: string): Promise<Manifest> {
  const models = join(folder, name, 'models');
  const version = (await readdir(models)).find((entry) => entry.startsWith('small-'));
  return manifestSchema.parse(JSON.parse(await readFile(join(models, version!, 'manifest.json'), 'utf8')));
}

/** Three whole processes, each with an engine of its own. */
jest.setTimeout(120_000);

describe('fitting heads on the small encoder', () => {
  it('gives the same bits twice, from nothing that was fetched', async () => {
    await train('first', []);
    await train('second', []);
    const [first, second] = [await publishedManifest('first'), await publishedManifest('second')];
    expect(second.weights.sha256).toBe(first.weights.sha256);
    expect(first.calibration!.temperature).toBeGreaterThan(0);
    expect(first.calibration!.unknownBelow).toBeGreaterThan(0);
    expect(first.members).toMatchObject([{ frontEnd: 0, network: { architecture: 'small' } }]);
    expect(first.frontEnds).toMatchObject([{ kind: 'encoder', encoder: { name: 'small' } }]);
    expect(first).toMatchObject({
      epochRule: 'last',
      protocol: { testFold: 1, validationFold: 2, trainFolds: [3, 4, 5] },
    });
    const { evaluations } = reportSchema.parse(
      JSON.parse(await readFile(join(folder, 'first', 'models', first.version, 'report.json'), 'utf8')),
    );
    expect([evaluations.last.validation.clips, evaluations.last.test?.clips]).toEqual([2, 2]);
    expect(evaluations.best).toBeUndefined();
  });

  it('publishes the heads of a cross-validation together, which answer as one', async () => {
    await train('together', ['--cross-validate']);
    const [version] = (await openRegistry(join(folder, 'together', 'models')).list()).versions;
    expect(version!.manifest.members).toHaveLength(4);
    expect(version!.manifest).toMatchObject({
      epochRule: 'last',
      parameters: 4 * 2 * 385,
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
      { length: 160_000 },
      (_, i) => 0.4 * Math.sin((2 * Math.PI * 3000 * i) / 32_000),
    );
    const answers: Float32Array[] = [];
    const evident: number[][] = [];
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
      evident.push(evidence!.map((row) => row[0]!));
      await inference.close();
    }
    expect(answers[0]!.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    for (const window of [0, 1]) {
      expect(Math.abs(evident[0]![window]! - evident[1]![window]!)).toBeLessThan(1e-4);
      expect(evident[0]![window]).toBeGreaterThan(0);
      expect(evident[0]![window]).toBeLessThan(1);
      answers[window]!.forEach((probability, index) => {
        expect(Math.abs(answers[window + 2]![index]! - probability)).toBeLessThan(1e-4);
      });
    }
  });
});

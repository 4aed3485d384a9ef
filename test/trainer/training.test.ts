import * as tf from '@tensorflow/tfjs-core';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { reportFrontEnd } from '../../shared/contracts/front-end';
import { reportSchema } from '../../shared/contracts/report';
import { createNetwork } from '../../shared/compute/network/create-network';
import { createUniform } from '../../shared/runtime/random';
import { adamStep } from '../../services/trainer/optimise/adam';
import { batchesOf } from '../../services/trainer/data/batches';
import { assertConverging } from '../../services/trainer/optimise/divergence';
import { createState, freshState, type NetworkState } from '../../services/trainer/optimise/network-state';
import { trainStep } from '../../services/trainer/optimise/train-step';
import { fileNeeds, libtensorflow } from '../support/needs';
import { loadTestEngine } from '../support/test-engine';
import { writeToneDataset } from '../support/tone-dataset';

fileNeeds(libtensorflow);

const main = join(__dirname, '..', '..', 'services', 'trainer', 'main.js');
let folder: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-training-'));
  await writeToneDataset(join(folder, 'data'));
  await loadTestEngine();
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

interface Trainer {
  readonly lines: string[];
  /** Resolves with the exit code or signal. */
  readonly ended: Promise<number | string>;
  readonly child: ChildProcess;
  /** Resolves when a line starts with the text. */
  sawLine(start: string): Promise<void>;
}

function startTrainer(name: string, ...extra: string[]): Trainer {
  const args = [
    'train',
    '--epochs=3',
    '--batch-size=4',
    '--seed=5',
    `--data=${join(folder, 'data')}`,
    ...extra,
  ];
  const env = {
    ...process.env,
    ENGINE: 'cpu',
    RUNS_DIR: join(folder, name, 'runs'),
    MODELS_DIR: join(folder, name, 'models'),
  };
  const child = spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  const lines: string[] = [];
  const watchers: { start: string; resolve: () => void }[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      for (const { start, resolve } of watchers) if (line.startsWith(start)) resolve();
    });
  }
  return {
    lines,
    child,
    ended: once(child, 'close').then(([code, signal]: (number | string)[]) => code ?? signal!),
    sawLine: (start) =>
      new Promise<void>((resolve) => {
        watchers.push({ start, resolve });
      }),
  };
}

async function publishedHash(name: string): Promise<string> {
  const models = join(folder, name, 'models');
  const [version] = await readdir(models);
  const manifest = JSON.parse(await readFile(join(models, version!, 'manifest.json'), 'utf8')) as {
    weights: { sha256: string };
  };
  return manifest.weights.sha256;
}

async function stateBytes(name: string): Promise<Buffer> {
  const runs = join(folder, name, 'runs');
  const [run] = await readdir(runs);
  return readFile(join(runs, run!, 'state.bin'));
}

/** The tensors of a state file, without its header (which holds epoch times). */
function tensorsOf(state: Buffer): Buffer {
  return state.subarray(4 + state.readUInt32LE(0), state.length - 32);
}

describe('npm run train', () => {
  it('ends with the same bits after kill -9, after Ctrl-C, and without either', async () => {
    const whole = startTrainer('whole');
    expect(await whole.ended).toBe(0);

    const killed = startTrainer('killed');
    await killed.sawLine('epoch 1/3');
    killed.child.kill('SIGKILL');
    expect(await killed.ended).toBe('SIGKILL');

    const interrupted = startTrainer('killed', '--resume');
    await interrupted.sawLine('epoch 2/3');
    interrupted.child.kill('SIGINT');
    expect(await interrupted.ended).toBe(130);
    expect(interrupted.lines.join('\n')).toContain('--resume continues');

    const resumed = startTrainer('killed', '--resume');
    expect(await resumed.ended).toBe(0);
    expect(tensorsOf(await stateBytes('killed')).equals(tensorsOf(await stateBytes('whole')))).toBe(true);
    expect(await publishedHash('killed')).toBe(await publishedHash('whole'));
  });

  it('leaves a report of both epochs, a page and a metrics log', async () => {
    const models = join(folder, 'whole', 'models');
    const [version] = await readdir(models);
    const report = reportSchema.parse(
      JSON.parse(await readFile(join(models, version!, 'report.json'), 'utf8')),
    );
    expect(report.history.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    expect(report.evaluations.last.epoch).toBe(3);
    expect(report.evaluations.best?.test?.clips).toBe(2);
    expect(await readFile(join(models, version!, 'report.html'), 'utf8')).toContain('<svg');
  });

  it('asks whether to continue or to start anew when the run exists', async () => {
    const again = startTrainer('whole');
    expect(await again.ended).toBe(78);
    expect(again.lines.join('\n')).toMatch(/3 of 3 epochs: --resume .* --fresh/);
  });

  it('lists every wrong option and exits 78', async () => {
    const wrong = startTrainer('wrong', '--learning-rate=-1', '--heads=3', '--architecture=rnn');
    expect(await wrong.ended).toBe(78);
    expect(wrong.lines.join('\n')).toMatch(
      /architecture[\s\S]*learning-rate|learning-rate[\s\S]*architecture/,
    );
  });

  it('says what to install when only WebAssembly is there, which cannot train', async () => {
    const child = spawn(process.execPath, [main, 'train', `--data=${join(folder, 'data')}`], {
      env: { ...process.env, ENGINE: 'wasm', RUNS_DIR: join(folder, 'wasm') },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    children.push(child);
    const errors: string[] = [];
    createInterface({ input: child.stderr }).on('line', (line) => errors.push(line));
    const [code] = (await once(child, 'close')) as [number];
    expect(code).toBe(69);
    expect(errors.join('\n')).toContain('Install python3 with pip, and g++');
  });
});

describe('a training step', () => {
  it('makes the network learn a batch by heart', () => {
    const uniform = createUniform(1);
    const clips = [0, 1, 2, 3].map((label) => ({
      filename: `${label}`,
      fold: 1,
      source: 'one',
      label,
      samples: Float32Array.from(
        { length: 80_000 },
        (_, i) => Math.sin(i * 0.05 * (label + 1)) * 0.5 + uniform() * 0.01,
      ),
    }));
    const network = createNetwork({ architecture: 'cnn', dropout: 0.1, batchNorm: 'counted' }, 4);
    const state = createState(network, freshState(network, 1));
    const tensors = tf.memory().numTensors;
    const losses: number[] = [];
    for (let step = 0; step < 30; step++) {
      const [batch] = batchesOf(clips, { frontEnd: reportFrontEnd, classes: 4, batchSize: 4 });
      losses.push(trainStep(network, state, batch!, 0.001, step).loss / 4);
    }
    expect(losses[0]).toBeGreaterThan(1.2);
    expect(Math.min(...losses.slice(-5))).toBeLessThan(0.1);
    expect(tf.memory().numTensors).toBe(tensors);
    state.dispose();
  });

  it('takes a batch in slices to the gradient of the whole', () => {
    const uniform = createUniform(2);
    const clips = Array.from({ length: 11 }, (_, label) => ({
      filename: `${label}`,
      fold: 1,
      source: 'one',
      label: label % 3,
      samples: Float32Array.from({ length: 80_000 }, () => uniform() - 0.5),
    }));
    const network = createNetwork({ architecture: 'cnn', dropout: 0, batchNorm: 'counted' }, 3);
    const values = freshState(network, 1);
    const state: NetworkState = createState(network, values);
    const [batch] = batchesOf(clips, { frontEnd: reportFrontEnd, classes: 3, batchSize: 11 });
    // After one step the first moment is a tenth of the gradient.
    trainStep(network, state, batch!, 1e-9, 1);
    const sliced = state.moments['dense2/bias']!.first.dataSync<'float32'>();
    const expected = tf.tidy(() => {
      const weights = Object.fromEntries(
        network.parameters.map(({ name, shape }) => [name, tf.tensor(values.weights[name]!, [...shape])]),
      );
      const logits = network.forward(weights, tf.tensor2d(batch!.features, [11, 144_000]));
      // d(mean cross-entropy)/d(output bias) = mean over clips of (softmax − one-hot)
      const labels = tf.oneHot(tf.tensor1d(batch!.labels, 'int32'), 3);
      return tf.mean(tf.sub(tf.softmax(logits), labels), 0).dataSync<'float32'>();
    });
    expected.forEach((gradient, index) => {
      expect(Math.abs(sliced[index]! * 10 - gradient)).toBeLessThan(1e-5);
    });
    state.dispose();
  });
});

describe('Adam', () => {
  it("takes the first two steps of Kingma and Ba's algorithm 1", () => {
    const parameter = tf.variable(tf.tensor1d([1]));
    const moments = { first: tf.variable(tf.tensor1d([0])), second: tf.variable(tf.tensor1d([0])) };
    // By hand: m = 0.05, v = 0.00025; m̂ = 0.5, v̂ = 0.25; 1 − 0.1 · 0.5 / 0.5 = 0.9
    adamStep(parameter, tf.tensor1d([0.5]), moments, 0.1, 1);
    expect(parameter.dataSync()[0]).toBeCloseTo(0.9, 6);
    // m = 0.045 − 0.1 = −0.055, m̂ = −0.055 / 0.19 = −0.289474; v = 0.00024975 + 0.001 = 0.00124975,
    // v̂ = 0.00124975 / 0.001999 = 0.625188; 0.9 + 0.1 · 0.289474 / 0.790688 = 0.936610
    adamStep(parameter, tf.tensor1d([-1]), moments, 0.1, 2);
    expect(parameter.dataSync()[0]).toBeCloseTo(0.93661, 5);
    tf.dispose([parameter, moments]);
  });
});

describe('divergence', () => {
  const epoch = (number: number, trainLoss: number): Parameters<typeof assertConverging>[0][number] => ({
    epoch: number,
    trainLoss,
    trainAccuracy: 0.1,
    validationLoss: 2,
    validationAccuracy: 0.1,
    seconds: 1,
  });
  const settings = { optimizer: 'adam', learningRate: 0.01, batchSize: 32, epochs: 9 } as const;

  it('stops a run whose loss is not a number, and says what to try', () => {
    expect(() => {
      assertConverging([epoch(1, NaN)], settings, 10);
    }).toThrow('Try --learning-rate 0.001');
  });

  it('stops after three epochs far worse than guessing, not after two, nor for a run that learns nothing', () => {
    const bad = [epoch(1, 50), epoch(2, 60), epoch(3, 70)];
    expect(() => {
      assertConverging(bad.slice(0, 2), settings, 10);
    }).not.toThrow();
    expect(() => {
      assertConverging(bad, settings, 10);
    }).toThrow('Training diverged');
    expect(() => {
      assertConverging([epoch(1, 40), epoch(2, 2.3), epoch(3, 2.3)], settings, 10);
    }).not.toThrow();
  });
});

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Distiller } from '../../services/trainer/distil/distil';
import { mixSounds } from '../../services/trainer/distil/mix-sounds';
import type { KernelsChoice } from '../../shared/compute/kernels/kernels-addon';
import { manifestSchema } from '../../shared/contracts/manifest';
import { readSafetensors } from '../../shared/registry/safetensors';
import { createUniform } from '../../shared/runtime/random';
import { randomEncoderWeights } from '../support/encoder-weights';
import { describeWithEncoder, publishedEncoderFile } from '../support/pretrained';
import { chooseTestEngine } from '../support/test-engine';
import { writeToneDataset } from '../support/tone-dataset';

const tone = (samples: number, step: number): Float32Array =>
  Float32Array.from({ length: samples }, (_, i) => 0.5 * Math.sin(i * step));
const others = [tone(4000, 0.1), tone(90_000, 0.03), tone(250_000, 0.4)];

describe('mixes of sounds', () => {
  const peakOf = (samples: Float32Array): number =>
    samples.reduce((peak, x) => Math.max(peak, Math.abs(x)), 0);

  it('are a function of the random numbers, as long as asked for, and never clip', () => {
    const sources = { labelled: [], others, labelledShare: 0.5 };
    for (let seed = 0; seed < 12; seed++) {
      const mix = mixSounds(sources, 8000, 32_000, createUniform(seed));
      expect(mix).toHaveLength(8000);
      // Noise of -45 dBFS may come on top of full scale.
      expect(peakOf(mix)).toBeLessThan(1.02);
      expect(peakOf(mix)).toBeGreaterThan(0.03);
      expect(mixSounds(sources, 8000, 32_000, createUniform(seed))).toEqual(mix);
    }
  });

  it('hold clips of the data set as often as was asked for', () => {
    // Those are silent on one side of zero, which mixing does not change.
    const labelled = [tone(5000, 0.05).map(Math.abs)];
    const sources = { labelled, others: labelled.map((sound) => sound.map((x) => -x)) };
    const shareOf = (labelledShare: number): number => {
      const mixes = Array.from({ length: 100 }, (_, seed) =>
        mixSounds({ ...sources, labelledShare }, 4000, 32_000, createUniform(seed)),
      );
      return mixes.filter((mix) => Math.max(...mix) > -Math.min(...mix)).length / mixes.length;
    };
    expect(shareOf(0)).toBe(0);
    expect(shareOf(1)).toBe(1);
    expect(shareOf(0.5)).toBeGreaterThan(0.35);
    expect(shareOf(0.5)).toBeLessThan(0.65);
  });
});

describe('a small encoder that is taught', () => {
  let kernels: KernelsChoice;
  beforeAll(async () => {
    kernels = (await chooseTestEngine('cpu')).kernels!;
  });

  const options = (steps: number): ConstructorParameters<typeof Distiller>[0] => ({
    kernels,
    teacher: randomEncoderWeights(1),
    sounds: { labelled: [], others, labelledShare: 0 },
    steps,
    learningRate: 0.002,
    seed: 4,
  });

  it('comes nearer to the large one, and goes on from a saved state to the bit', () => {
    const whole = new Distiller(options(12));
    const losses = Array.from({ length: 12 }, () => whole.next());
    expect((losses[10]! + losses[11]!) / 2).toBeLessThan(0.7 * losses[0]!);
    const before = new Distiller(options(12));
    for (let step = 0; step < 5; step++) before.next();
    const after = new Distiller({ ...options(12), state: before.state() });
    for (let step = 5; step < 12; step++) expect(after.next()).toBe(losses[step]);
    expect(after.weights()).toEqual(whole.weights());
    // What it has learnt is a start for another run, in the large encoder's units.
    const more = new Distiller({ ...options(3), start: whole.weights() });
    expect(more.next()).toBeLessThan(0.9 * losses[0]!);
    for (const distiller of [whole, before, after, more]) distiller.dispose();
  }, 120_000);
});

describeWithEncoder('npm run distil', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'earshot-distil-'));
    await writeToneDataset(join(folder, 'data'));
    await writeFile(join(folder, 'data', 'list.txt'), '1-low.wav\n2-high.wav\nnothing.wav.txt\n');
    await writeFile(join(folder, 'data', 'nothing.wav.txt'), 'no sound');
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function trainer(...args: readonly string[]): Promise<{ code: number | null; output: string }> {
    const env = {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'],
      ENGINE: 'cpu',
      ENCODER: publishedEncoderFile,
      MODELS_DIR: join(folder, 'models'),
      RUNS_DIR: join(folder, 'runs'),
    };
    const main = join(__dirname, '../../services/trainer/main.js');
    const child = spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, output };
  }

  it('makes an encoder that is named by its content, says what it heard, and carries heads', async () => {
    const data = join(folder, 'data');
    const sounds = ['--sounds', join(data, 'list.txt'), '--folds', '3', '--folds', '4', '--data', data];
    const taught = await trainer('distil', ...sounds, '--steps', '3');
    expect(taught).toMatchObject({ code: 0 });
    expect(taught.output).toContain('nothing.wav.txt');
    const encoders = join(folder, 'models', 'encoders');
    const [name] = await readdir(encoders);
    const bytes = await readFile(join(encoders, name!));
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    expect(name).toBe(`small-${sha256.slice(0, 16)}.safetensors`);
    expect(bytes.length).toBeLessThan(2_000_000);
    expect(readSafetensors(bytes).metadata).toMatchObject({ folds: '3,4', steps: '3', seed: '1' });

    const encoder = ['--encoder', join(encoders, name!), '--data', data];
    const onHeard = await trainer('train', '--architecture', 'small', ...encoder, '--validation-fold', '3');
    expect(onHeard).toMatchObject({ code: 0 });
    expect(onHeard.output).toContain('has heard the clips of fold 3:');
    const clean = await trainer('train', '--architecture', 'small', ...encoder, '--seed', '2');
    expect(clean.output).not.toContain('has heard');
    const [version] = (await readdir(join(folder, 'models'))).filter((entry) => entry.startsWith('small-'));
    const text = await readFile(join(folder, 'models', version!, 'manifest.json'), 'utf8');
    expect(manifestSchema.parse(JSON.parse(text)).frontEnds).toMatchObject([
      { encoder: { name: 'small', sha256 } },
    ]);
  }, 240_000);

  it('says what is missing or wrong', async () => {
    expect((await trainer('distil')).output).toMatch(/--sounds: name a folder of recordings/);
    expect(await trainer('distil', '--sounds', join(folder, 'nowhere'))).toMatchObject({
      code: 65,
      output: expect.stringContaining('nowhere cannot be read'),
    });
    const list = join(folder, 'data', 'list.txt');
    const absent = ['--folds', '9', '--data', join(folder, 'data')];
    expect(await trainer('distil', '--sounds', list, ...absent)).toMatchObject({
      code: 65,
      output: expect.stringContaining('no clips of fold 9'),
    });
    const named = await trainer(
      'train',
      '--architecture',
      'small',
      '--encoder',
      join(folder, 'data', 'list.txt'),
    );
    expect(named).toMatchObject({ code: 65, output: expect.stringContaining('header') });
    const foreign = await trainer('train', '--architecture', 'cnn', '--encoder', 'x');
    expect(foreign).toMatchObject({
      code: 78,
      output: expect.stringContaining('cnn takes no small encoder'),
    });
  }, 120_000);
});

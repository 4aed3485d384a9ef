import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { melSpectrogram } from '../../shared/front-end/log-mel';
import { melFrontEnd, type LogMelFrontEnd } from '../../shared/contracts/front-end';
import { createUniform } from '../../shared/runtime/random';
import { openSpectrogramCache } from '../../services/trainer/data/spectrogram-cache';
import { fitLogistic, type LogisticModel } from '../../services/trainer/rejection/logistic-regression';
import { madeSounds } from '../../services/trainer/outliers/made-sounds';
import { taughtSounds } from '../../services/trainer/outliers/taught/taught-sounds';

describe('logistic regression', () => {
  const uniform = createUniform(1);
  const normal = (): number => Array.from({ length: 12 }, uniform).reduce((sum, value) => sum + value, -6);
  /**
   * Three features of very different sizes; two of them tell the kinds apart, not perfectly, and one
   * kind is rare.
   */
  const truth = Array.from({ length: 200 }, (_, row) => row % 5 === 0);
  const rows = truth.map((yes) => [
    1000 + 100 * normal() + (yes ? 150 : 0),
    0.01 * normal() - (yes ? 0.01 : 0),
    normal(),
  ]);
  const penalty = 0.05;

  /** What is to be least, from its definition. */
  function objective({ kernel, bias }: LogisticModel): number {
    const mean = (kind: boolean): number => {
      const losses = rows
        .filter((_, row) => truth[row] === kind)
        .map((row) => {
          const odds = row.reduce((sum, value, i) => sum + value * kernel[i]!, bias);
          return Math.log(1 + Math.exp(kind ? -odds : odds));
        });
      return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    };
    const deviations = [0, 1, 2].map((i) => {
      const column = rows.map((row) => row[i]!);
      const centre = column.reduce((sum, value) => sum + value, 0) / column.length;
      return Math.sqrt(column.reduce((sum, value) => sum + (value - centre) ** 2, 0) / column.length) + 1e-3;
    });
    const squares = deviations.reduce((sum, deviation, i) => sum + (kernel[i]! * deviation) ** 2, 0);
    return (mean(true) + mean(false)) / 2 + (penalty / 2) * squares;
  }

  it('finds the least of its objective', () => {
    const found = fitLogistic(Float32Array.from(rows.flat()), truth, penalty);
    const least = objective(found);
    expect(least).toBeLessThan(0.9 * Math.log(2));
    [150, 0.014, 1].forEach((size, i) => {
      for (const step of [-0.05, 0.05]) {
        // Turned about the mean, so that the bias does not hide it.
        const kernel = found.kernel.map((value, j) => (j === i ? value + step / size : value));
        const centre = rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length;
        expect(objective({ kernel, bias: found.bias - (step / size) * centre })).toBeGreaterThan(least);
      }
    });
    for (const step of [-0.05, 0.05]) {
      expect(objective({ ...found, bias: found.bias + step })).toBeGreaterThan(least);
    }
  });
});

describe('taught sounds', () => {
  const [sampleRate, seconds] = [16_000, 1];
  const sounds = taughtSounds(sampleRate, seconds, 1, 2);

  it('are a function of the seed, audible, within full scale', () => {
    expect(taughtSounds(sampleRate, seconds, 1, 2)).toEqual(sounds);
    expect(taughtSounds(sampleRate, seconds, 2, 2)).not.toEqual(sounds);
    for (const { samples } of sounds) {
      const power = samples.reduce((sum, value) => sum + value * value, 0) / samples.length;
      expect(Math.sqrt(power)).toBeCloseTo(0.1, 3);
      expect(samples.every((value) => Math.abs(value) <= 2)).toBe(true);
    }
    expect(new Set(sounds.map(({ samples }) => samples.slice(1000, 1100).join())).size).toBe(sounds.length);
  });

  it('are of none of the kinds that a version is judged on', () => {
    const judged = new Set(madeSounds(sampleRate, seconds, 1).map(({ kind }) => kind));
    expect(sounds.map(({ kind }) => kind).filter((kind) => judged.has(kind))).toEqual([]);
  });
});

describe('the cache of spectrograms', () => {
  const frontEnd: LogMelFrontEnd = {
    ...melFrontEnd,
    sampleRate: 8000,
    fftSamples: 256,
    hopSamples: 160,
    melBins: 16,
    highestHz: 4000,
    windowSeconds: 1,
  };
  const uniform = createUniform(3);
  const make = (): ReturnType<typeof melSpectrogram>[] =>
    [8000, 5000].map((length) => melSpectrogram(Float32Array.from({ length }, uniform), frontEnd));
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'earshot-spectrograms-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('gives back what was made, to the bit, and makes nothing twice', async () => {
    const made = await (await openSpectrogramCache(folder, frontEnd)).of('a', make);
    const again = await openSpectrogramCache(folder, frontEnd);
    const refuse = (): never => {
      throw new Error('made again');
    };
    expect(await again.of('a', refuse)).toEqual(made);
    await expect(again.of('b', refuse)).rejects.toThrow('made again');
    const other = await openSpectrogramCache(folder, { ...frontEnd, hopSamples: 80 });
    await expect(other.of('a', refuse)).rejects.toThrow('made again');
  });

  it('makes anew what was damaged', async () => {
    const cache = await openSpectrogramCache(folder, frontEnd);
    await cache.of('a', make);
    const [file] = await readdir(folder);
    const bytes = await readFile(join(folder, file!));
    bytes[100]! ^= 1;
    await writeFile(join(folder, file!), bytes);
    const anew = make();
    expect(await cache.of('a', () => anew)).toBe(anew);
    expect(await cache.of('a', make)).toEqual(anew);
  });
});

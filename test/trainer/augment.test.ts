import { melSpectrogram, type MelSpectrogram } from '../../shared/front-end/log-mel';
import type { Augmentation } from '../../shared/contracts/augmentation';
import { melFrontEnd, type LogMelFrontEnd } from '../../shared/contracts/front-end';
import { createUniform } from '../../shared/runtime/random';
import { colour, mixInto, recordElsewhere } from '../../services/trainer/recipes/augment/augment-crop';
import { createCropStream, type CropStream } from '../../services/trainer/recipes/augment/crop-stream';
import { noiseSamples } from '../../services/trainer/outliers/noise';
import { speedCopy } from '../../services/trainer/recipes/augment/speed-copy';
import { trainingSpectra } from '../../services/trainer/recipes/augment/training-spectra';
import { warmUpThenCosine } from '../../services/trainer/recipes/schedule';
import type { SpectrogramCache } from '../../services/trainer/data/spectrogram-cache';

const frontEnd: LogMelFrontEnd = {
  ...melFrontEnd,
  sampleRate: 8000,
  fftSamples: 256,
  hopSamples: 160,
  melBins: 16,
  highestHz: 4000,
  windowSeconds: 1,
  cropFrames: 20,
};
const nothing: Augmentation = {
  speeds: [1],
  mixing: 0,
  reverberation: 0,
  noise: 0,
  noiseDecibels: [10, 10],
  bandLimit: 0,
  bandLimitHz: [1000, 1000],
  equaliserDecibels: 0,
  masks: 0,
  maskBins: 0,
};

function tone(hertz: number): Float32Array {
  return Float32Array.from({ length: 8000 }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hertz * i) / 8000));
}

const clips = [200, 400, 800, 1600, 3200].map((hertz, label) => ({
  filename: `${hertz}`,
  fold: 1,
  source: 'one',
  label,
  samples: tone(hertz),
}));

describe('the schedule', () => {
  it('rises in a line over the warm-up, then falls on a cosine to nothing', () => {
    expect(warmUpThenCosine(0, 100, 0.1)).toBeCloseTo(0.1, 10);
    expect(warmUpThenCosine(9, 100, 0.1)).toBe(1);
    expect(warmUpThenCosine(10, 100, 0.1)).toBe(1);
    expect(warmUpThenCosine(55, 100, 0.1)).toBeCloseTo(0.5, 10);
    expect(warmUpThenCosine(99, 100, 0.1)).toBeLessThan(0.001);
  });
});

describe('a speed copy', () => {
  it('takes what lies between two samples from the line through them', () => {
    expect([...speedCopy(Float32Array.of(0, 1, 2, 3, 4, 5), 1.5)]).toEqual([0, 1.5, 3, 4.5]);
    expect([...speedCopy(Float32Array.of(0, 2, 4), 0.5)]).toEqual([0, 1, 2, 3, 4, 2]);
  });

  it('raises a tone by its speed', () => {
    const loudest = (samples: Float32Array): number => {
      const { power, frames } = melSpectrogram(samples, frontEnd);
      const middle = power.subarray(Math.floor(frames / 2) * 16, Math.floor(frames / 2) * 16 + 16);
      return middle.indexOf(Math.max(...middle));
    };
    expect(loudest(speedCopy(tone(1000), 2))).toBe(loudest(tone(2000)));
  });
});

describe('mixing', () => {
  it('adds the powers of two sounds of equal level as their share says', () => {
    const crop = Float32Array.of(1, 0, 4);
    // r = 0.75: (0.5625 a + 0.0625 b) / 0.625
    mixInto(crop, Float32Array.of(0, 1, 4), 0.75);
    [0.9, 0.1, 4].forEach((expected, index) => {
      expect(crop[index]).toBeCloseTo(expected, 6);
    });
  });
});

describe('recording elsewhere', () => {
  const crop = (): Float32Array => {
    const impulse = new Float32Array(20 * 16);
    impulse.fill(1, 0, 16);
    return impulse;
  };

  it('changes nothing where nothing is asked for', () => {
    const heard = crop();
    recordElsewhere(heard, createUniform(1), nothing, frontEnd, []);
    expect(heard).toEqual(crop());
  });

  it('in a room leaves the direct sound and adds a tail that decays by 60 dB in its reverberation time', () => {
    const heard = crop();
    recordElsewhere(heard, createUniform(3), { ...nothing, reverberation: 1 }, frontEnd, []);
    expect(heard[0]).toBe(1);
    const ratios = Array.from({ length: 17 }, (_, t) => heard[(t + 2) * 16]! / heard[(t + 1) * 16]!);
    const decaySeconds = (-6 * 0.02) / Math.log10(ratios[0]!);
    expect(decaySeconds).toBeGreaterThan(0.1);
    expect(decaySeconds).toBeLessThan(0.8);
    for (const ratio of ratios) expect(ratio).toBeCloseTo(ratios[0]!, 4);
  });

  it('through a narrow band keeps what is below its edge and nothing above', () => {
    const heard = crop();
    recordElsewhere(heard, createUniform(1), { ...nothing, bandLimit: 1 }, frontEnd, []);
    // 1 kHz lies at 0.450 of the mel scale from 40 Hz to 4 kHz; bins peak at 1/17 … 16/17, the seventh
    // at 0.412.
    expect(Array.from(heard.subarray(0, 16))).toEqual([
      ...new Array<number>(7).fill(1),
      ...new Array<number>(9).fill(0),
    ]);
  });

  it('with noise has it at the level asked for, under the loudest frame', () => {
    const flat = { frames: 50, power: new Float32Array(50 * 16).fill(1 / 16), levels: new Float32Array(50) };
    const heard = crop();
    recordElsewhere(heard, createUniform(1), { ...nothing, noise: 1 }, frontEnd, [flat]);
    expect(heard[16]).toBeCloseTo(0.1 / 16, 7);
  });
});

describe('colouring', () => {
  it('masks bins with the mean of the crop, in all frames alike', () => {
    const crop = Float32Array.from({ length: 20 * 16 }, (_, i) => 0 - (i % 16));
    colour(crop, createUniform(5), { ...nothing, masks: 1, maskBins: 6 }, 16);
    const changed = Array.from({ length: 16 }, (_, bin) => crop[bin] !== 0 - bin);
    expect(changed.filter(Boolean).length).toBeGreaterThan(0);
    for (let i = 0; i < crop.length; i++)
      expect(crop[i]).toBe(changed[i % 16] === true ? -7.5 : 0 - (i % 16));
  });

  it('equalises within the decibels allowed, smoothly', () => {
    const crop = new Float32Array(16);
    colour(crop, createUniform(7), { ...nothing, equaliserDecibels: 3 }, 16);
    expect(Math.max(...crop.map(Math.abs))).toBeLessThanOrEqual(3);
    expect(new Set(crop).size).toBe(16);
    const steps = Array.from({ length: 15 }, (_, i) => Math.abs(crop[i + 1]! - crop[i]!));
    expect(Math.max(...steps)).toBeLessThan(6 / 3.75 + 1e-6);
  });
});

/** So that the taught sounds are made once. */
const known = new Map<string, MelSpectrogram[]>();
const remembered: SpectrogramCache = {
  of: (key, make) => {
    const made = known.get(key) ?? make();
    known.set(key, made);
    return Promise.resolve(made);
  },
};

describe('the stream of crops', () => {
  const all: Augmentation = {
    ...nothing,
    speeds: [1, 0.8],
    mixing: 1,
    reverberation: 0.5,
    noise: 0.5,
    bandLimit: 0.5,
    others: 0.1,
    equaliserDecibels: 3,
    masks: 2,
    maskBins: 3,
  };
  const labels = clips.map(({ label }) => label);
  const streamOf = async (seed: number, augmentation = all): Promise<CropStream> => {
    const spectra = await trainingSpectra({ clips, frontEnd, augmentation, seed, cache: remembered });
    return createCropStream({ labels, spectra, classes: 5, frontEnd, batchSize: 8, seed, augmentation });
  };

  it('is a function of the seed and the step', async () => {
    const [first, second] = [await streamOf(1), await streamOf(1)];
    const late = first(7);
    expect(second(3)).toEqual(first(3));
    expect(second(7)).toEqual(late);
    expect(first(4).features).not.toEqual(first(3).features);
    expect((await streamOf(2))(3).features).not.toEqual(first(3).features);
  });

  it('takes every clip once before it takes one again', async () => {
    const stream = await streamOf(1, nothing);
    const labels = [0, 1, 2, 3, 4].flatMap((step) => [...stream(step).labels]);
    for (let pass = 0; pass < 8; pass++) {
      expect(labels.slice(pass * 5, pass * 5 + 5).sort()).toEqual([0, 1, 2, 3, 4]);
    }
  });

  it('has targets that sum to 1, and the louder part of a mixture as its label', async () => {
    const { targets, labels: louder } = (await streamOf(1, { ...nothing, mixing: 1 }))(0);
    for (let slot = 0; slot < 8; slot++) {
      const row = Array.from(targets!.subarray(slot * 5, slot * 5 + 5));
      expect(row.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 6);
      expect(row[louder[slot]!]).toBe(Math.max(...row));
    }
  });

  it('gives sounds of no class targets that are alike for every class, as many as it is told', async () => {
    const share = async (others: number): Promise<number> => {
      const stream = await streamOf(1, { ...nothing, others });
      const rows = [0, 1, 2, 3, 4].flatMap((step) => {
        const { targets } = stream(step);
        return Array.from({ length: 8 }, (_, slot) => targets!.subarray(slot * 5, slot * 5 + 5));
      });
      const alike = rows.filter((row) => row.every((value) => Math.abs(value - 0.2) < 1e-6));
      expect(rows.filter((row) => row.includes(1)).length).toBe(rows.length - alike.length);
      return alike.length / rows.length;
    };
    expect(await share(1)).toBe(1);
    // 40 crops: 12 expected, and a deviation of 2.9.
    expect(Math.abs((await share(0.3)) - 0.3)).toBeLessThan(0.22);
    expect(await share(0)).toBe(0);
  });

  it('gives dB under the loudest cell, no lower than the range', async () => {
    const { features } = (await streamOf(1, nothing))(0);
    expect(Math.max(...features)).toBe(0);
    expect(Math.min(...features)).toBeGreaterThanOrEqual(-80);
  });
});

describe('noise', () => {
  it.each([
    ['white', 0],
    ['pink', -3],
    ['brown', -6],
  ] as const)('that is %s falls by %i dB an octave', (kind, slope) => {
    const samples = noiseSamples(kind, 80_000, createUniform(2));
    const wide = { ...frontEnd, windowSeconds: 10, fftSamples: 1024 };
    const { power, frames } = melSpectrogram(samples, wide);
    const mean = (bin: number): number => {
      let sum = 0;
      for (let t = 0; t < frames; t++) sum += power[t * 16 + bin]!;
      return 10 * Math.log10(sum / frames);
    };
    const melOf = (hertz: number): number => 2595 * Math.log10(1 + hertz / 700);
    const peak = (bin: number): number =>
      700 * (10 ** ((melOf(40) + ((melOf(4000) - melOf(40)) * (bin + 1)) / 17) / 2595) - 1);
    const measured = (mean(13) - mean(4)) / Math.log2(peak(13) / peak(4));
    expect(Math.abs(measured - slope)).toBeLessThan(1);
  });
});

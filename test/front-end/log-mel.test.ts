import { logMelCrops, melSpectrogram } from '../../shared/front-end/log-mel';
import { createPowerSpectrum } from '../../shared/front-end/power-spectrum';
import { inputLength, inputsPerWindow, windowInputs } from '../../shared/front-end/window-inputs';
import { melFrontEnd, reportFrontEnd, type LogMelFrontEnd } from '../../shared/contracts/front-end';
import { createUniform } from '../../shared/runtime/random';
import { fadingChirp as sound } from '../support/native-ensemble';
import { referenceCrops } from '../support/reference-front-end';

function largestDifference(actual: readonly Float32Array[], expected: readonly number[][]): number {
  let largest = 0;
  actual.forEach((crop, index) => {
    crop.forEach((value, i) => {
      largest = Math.max(largest, Math.abs(value - expected[index]![i]!));
    });
  });
  return largest;
}

describe('the power spectrum', () => {
  it.each([8, 16, 32, 256])('of %i samples is the sum that defines it', (size) => {
    const uniform = createUniform(size);
    const frame = Float64Array.from({ length: size }, () => uniform() - 0.5);
    const power = new Float64Array(size / 2 + 1);
    createPowerSpectrum(size)(frame, power);
    power.forEach((value, k) => {
      let [re, im] = [0, 0];
      frame.forEach((sample, i) => {
        re += sample * Math.cos((2 * Math.PI * k * i) / size);
        im += sample * Math.sin((2 * Math.PI * k * i) / size);
      });
      expect(Math.abs(value - (re * re + im * im))).toBeLessThan(1e-12 * size);
    });
  });

  it('wants a power of two', () => {
    expect(() => createPowerSpectrum(1000)).toThrow('expected a power of two of 8 or more, got 1000');
  });
});

describe('the log-mel front end', () => {
  it("is the double-precision reference's within 1e-5 dB, with mel's figures", () => {
    // 0.5 s: the reference takes a second a second. Its crops go round more than five times.
    const window = sound(22_050, 44_100);
    const crops = logMelCrops(window, melFrontEnd);
    expect(crops).toHaveLength(3);
    expect(crops[0]).toHaveLength(128 * 64);
    expect(largestDifference(crops, referenceCrops(window, melFrontEnd))).toBeLessThan(1e-5);
  });

  const small: LogMelFrontEnd = {
    ...melFrontEnd,
    sampleRate: 8000,
    fftSamples: 128,
    hopSamples: 80,
    melBins: 12,
    highestHz: 4000,
    windowSeconds: 1,
    cropFrames: 30,
    crops: 4,
  };

  it.each([8000, 4000, 1000, 100, 1, 9000])(
    'is the reference for a window of %i samples where a whole one has 8000',
    (length) => {
      const window = sound(length, 8000);
      const crops = logMelCrops(window, small);
      const expected = referenceCrops(window, small);
      expect(crops).toHaveLength(expected.length);
      expect(largestDifference(crops, expected)).toBeLessThan(1e-5);
    },
  );

  it('gives one frame every 20 ms of five seconds, the first centred on the first sample', () => {
    const impulse = new Float32Array(220_500);
    impulse[0] = 1;
    const { frames, levels } = melSpectrogram(impulse, melFrontEnd);
    expect(frames).toBe(251);
    expect(levels[0]).toBe(Math.max(...levels));
    expect(levels[2]).toBeLessThan(-90);
  });

  it('does not hear how loud a recording is', () => {
    const window = sound(8000, 8000);
    const quiet = window.map((sample) => sample * 10 ** (-30 / 20));
    const [loudCrops, quietCrops] = [logMelCrops(window, small), logMelCrops(quiet, small)];
    expect(
      largestDifference(
        quietCrops,
        loudCrops.map((crop) => Array.from(crop)),
      ),
    ).toBeLessThan(1e-3);
  });

  it('leaves crops of silence beside sound out, and judges silence when there is nothing else', () => {
    const bark = new Float32Array(8000);
    bark.set(sound(800, 8000), 0);
    // Frames 0 to 10 hold the sound; crops of 30 frames start at 0, 25, 50, 75 of 101, and the last goes
    // round.
    expect(logMelCrops(bark, small)).toHaveLength(2);
    expect(logMelCrops(new Float32Array(8000), small)).toHaveLength(4);
  });

  it.each([
    [melFrontEnd, 8192, 3],
    [reportFrontEnd, 144_000, 1],
  ] as const)('says how large its inputs are: %j', (frontEnd, length, count) => {
    expect([inputLength(frontEnd), inputsPerWindow(frontEnd)]).toEqual([length, count]);
    const inputs = windowInputs(sound(100_000, 44_100), frontEnd);
    expect(inputs.map((input) => input.length)).toEqual(new Array(count).fill(length));
  });

  it('refuses triangles beyond half the sample rate', () => {
    expect(() => logMelCrops(new Float32Array(10), { ...small, highestHz: 5000 })).toThrow(
      'lowestHz < highestHz',
    );
  });
});

import { madeSounds } from '../../services/trainer/outliers/made-sounds';
import { taughtSounds } from '../../services/trainer/outliers/taught/taught-sounds';

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

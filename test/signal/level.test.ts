import { clippedShare, levelDbfs, levelOf, loudestBlockDbfs } from '../../shared/signal/level';
import { tone } from '../support/signals';

describe('levels', () => {
  it.each([
    ['a square wave of full scale', Float32Array.from({ length: 100 }, (_, k) => (k % 2 === 0 ? 1 : -1)), 0],
    ['half of full scale', new Float32Array(100).fill(0.5), -6.0206],
    ['a sine of full scale', tone(100, 8000, 8000, 1), -3.0103],
    ['one bit of 16', new Float32Array(10).fill(1 / 32_768), -90.309],
    ['silence', new Float32Array(10), -120],
    ['nothing', new Float32Array(0), -120],
  ])('%s', (_, samples, wanted) => {
    expect(levelDbfs(samples)).toBeCloseTo(wanted, 3);
  });

  it('of the loudest block finds a click that the whole would average away', () => {
    const samples = new Float32Array(80_000);
    samples.fill(0.5, 70_000, 70_080);
    expect(levelDbfs(samples)).toBeCloseTo(-6.0206 - 30, 3);
    expect(loudestBlockDbfs(samples, 1600)).toBeCloseTo(-6.0206 - 10 * Math.log10(1600 / 80), 3);
  });

  it('counts what is clipped, in 16 bits and in float', () => {
    expect(clippedShare(Float32Array.of(1, -1, 32_767 / 32_768, 0.99))).toBe(0.75);
  });

  it('of a window is its mean power, and that of its loudest stretch', () => {
    const samples = new Float32Array(4096);
    samples.fill(0.5, 1024, 2048);
    expect(levelOf(samples).power).toBe(0.0625);
    expect(levelOf(samples).loudestDecibels).toBeCloseTo(10 * Math.log10(0.25), 10);
    // The zeros at its end are left out, those before the sound are not: a half of 2048 samples is at
    // 0.25.
    expect(levelOf(samples).soundDecibels).toBeCloseTo(10 * Math.log10(0.125), 10);
  });

  it('of a silent window is nothing', () => {
    expect(levelOf(new Float32Array(100))).toEqual({ power: 0, loudestDecibels: -120, soundDecibels: -120 });
  });
});

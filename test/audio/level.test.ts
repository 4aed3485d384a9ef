import { levelOf } from '../../shared/audio/level';

describe('the level of a window', () => {
  it('is its mean power, and that of its loudest stretch', () => {
    const samples = new Float32Array(4096);
    samples.fill(0.5, 1024, 2048);
    expect(levelOf(samples).power).toBe(0.0625);
    expect(levelOf(samples).loudestDecibels).toBeCloseTo(10 * Math.log10(0.25), 10);
  });

  it('of silence is nothing', () => {
    expect(levelOf(new Float32Array(100))).toEqual({ power: 0, loudestDecibels: -Infinity });
  });
});

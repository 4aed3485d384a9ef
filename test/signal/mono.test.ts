import { levelDbfs } from '../../shared/signal/level';
import { createMixer } from '../../shared/signal/mono';
import { largestDifference, randomNumbers, signalToErrorDb, swell } from '../support/signals';

const mixToMono = (channels: readonly Float32Array[]): Float32Array => createMixer(16_000)(channels);

describe('createMixer', () => {
  it('gives one channel as it is', () => {
    expect([...mixToMono([Float32Array.of(1, -1)])]).toEqual([1, -1]);
  });

  it('gives the mean of several', () => {
    const channels = [Float32Array.of(1, 0.5), Float32Array.of(0, 0.5), Float32Array.of(-0.25, 0.5)];
    expect([...mixToMono(channels)]).toEqual([0.25, 0.5]);
  });

  it('does not overflow where the sum would', () => {
    const large = Float32Array.of(3e38);
    expect(mixToMono([large, large])[0]).toBe(large[0]);
  });

  it('refuses no channel', () => {
    expect(() => mixToMono([])).toThrow(RangeError);
  });

  const rate = 16_000;
  const sound = swell(2, rate);
  const stretch = 0.02 * rate;
  const mix = (channels: readonly Float32Array[], largest: number): Float32Array => {
    const mixer = createMixer(rate);
    const out = new Float32Array(channels[0]!.length);
    for (let at = 0; at < out.length; at += largest)
      out.set(mixer(channels.map((channel) => channel.subarray(at, at + largest))), at);
    return out;
  };

  it.each([
    ['its sign changed', 2, -1],
    ['its sign changed, a little quieter', 2, -0.85],
    ['its sign changed, a little louder', 2, -1.15],
    ['its sign changed, in two pairs', 4, -1],
  ])('hears the loudest where one channel is the other with %s', (_, channels, factor) => {
    const all = Array.from({ length: channels }, (_unused, channel) =>
      channel % 2 === 0 ? sound : sound.map((x) => factor * x + 0.05),
    );
    // Of two that are as loud either will do.
    const last = mix(all, sound.length);
    const heard = all.find((channel) => Math.abs(channel[rate]! - last[rate]!) < 1e-6)!;
    const loudest = Math.max(...all.map((channel) => levelDbfs(channel)));
    expect(levelDbfs(heard)).toBeGreaterThan(loudest - 0.2);
    for (const largest of [1, 100, 5000]) {
      const out = mix(all, largest);
      expect(largestDifference(out.subarray(rate / 2), heard.subarray(rate / 2))).toBeLessThan(1e-6);
      expect(largestDifference(out, last)).toBe(0);
    }
    // From 40 ms of sound on at the latest.
    const start = 3 * stretch + sound.findIndex((x) => Math.abs(x) > 1e-3);
    expect(signalToErrorDb(mix(all, 999).subarray(start), heard.subarray(start))).toBeGreaterThan(40);
  });

  it('goes back to the mean where the channels do not cancel each other any more', () => {
    const other = sound.map((x, index) => (index < rate ? -x : x * 0.5));
    const out = mix([sound, other], 777);
    const mean = sound.map((x, index) => (x + other[index]!) / 2);
    expect(largestDifference(out.subarray(1.2 * rate), mean.subarray(1.2 * rate))).toBe(0);
  });

  it('gives the mean of ordinary stereo to the bit', () => {
    const random = randomNumbers(8);
    const noise = (): Float32Array => Float32Array.from({ length: 2 * rate }, () => random() - 0.5);
    const own = noise();
    const pairs = [
      [sound, sound.map((x) => 0.3 * x)],
      [noise(), noise()],
      [own, own.map((x, index) => (index > 5 ? own[index - 5]! : x))],
      [sound, sound.map((x, index) => -0.5 * x + 0.1 * own[index]!)],
      [sound, new Float32Array(sound.length)],
    ];
    for (const pair of pairs) {
      const mean = pair[0]!.map((x, index) => (x + pair[1]![index]!) / 2);
      expect(largestDifference(mix(pair, 1234), mean)).toBe(0);
    }
    const many = Array.from({ length: 16 }, (_, channel) =>
      channel === 3 ? sound : new Float32Array(sound.length),
    );
    expect(
      largestDifference(
        mix(many, 1234),
        sound.map((x) => x / 16),
      ),
    ).toBe(0);
  });
});

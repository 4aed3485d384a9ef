import { levelDbfs } from '../../shared/signal/level';
import { createOffsetRemover } from '../../shared/signal/offset-remover';
import { cutAtRandom } from '../support/cut-signal';
import { largestDifference, randomNumbers, signalToErrorDb, swell, tone } from '../support/signals';

const rate = 16_000;
const seconds = 4;

function noise(size: number, seed = 4): Float32Array {
  const random = randomNumbers(seed);
  return Float32Array.from({ length: seconds * rate }, () => size * (random() + random() - 1));
}

/** As 16 bits hold it. */
const quantised = (signal: Float32Array): Float32Array =>
  signal.map((x) => Math.max(-1, Math.min(32_767 / 32_768, Math.round(x * 32_768) / 32_768)));

function cleaned(signal: Float32Array): Float32Array {
  const whole = cutAtRandom(createOffsetRemover(rate), signal, signal.length);
  for (const largest of [113, 7000])
    expect(largestDifference(cutAtRandom(createOffsetRemover(rate), signal, largest), whole)).toBe(0);
  return whole;
}

const loudest = (signal: Float32Array): number => Math.max(...signal.map(Math.abs));
const room = noise(1e-4);

describe('the offset remover', () => {
  it.each([0.001, 0.003, 0.01, 0.05, 0.2, -0.2, 0.9])('leaves a quiet room of an offset of %d', (offset) => {
    const out = cleaned(quantised(room.map((x) => x + offset)));
    expect(out).toHaveLength(room.length);
    // −70 dBFS is where a stream's gate opens.
    expect(levelDbfs(out)).toBeLessThan(-76);
    expect(loudest(out)).toBeLessThan(2.5e-4);
  });

  it('takes away an offset behind zeros, as a microphone gives while it starts', () => {
    const signal = quantised(room.map((x) => x + 0.05));
    signal.fill(0, 0, 8_000);
    const out = cleaned(signal);
    expect(loudest(out.subarray(0, 8_000))).toBe(0);
    expect(loudest(out)).toBeLessThan(2.5e-4);
  });

  it('keeps zeros in and behind the sound', () => {
    const signal = quantised(room.map((x) => x + 0.05));
    signal.fill(0, 30_000, 40_000);
    signal.fill(0, 60_000);
    const out = cleaned(signal);
    expect(loudest(out.subarray(30_001, 40_000))).toBe(0);
    expect(loudest(out.subarray(60_001))).toBe(0);
    expect(loudest(out.subarray(40_000, 60_000))).toBeLessThan(2.5e-4);
  });

  it('finds an offset behind a loud beginning', () => {
    const low = tone(30, rate, seconds * rate, 0.3).fill(0, rate);
    const out = cleaned(quantised(low.map((x, index) => x + room[index]! + 0.02)));
    expect(levelDbfs(out.subarray(-2 * rate))).toBeLessThan(-70);
  });

  it('follows an offset that drifts', () => {
    const out = cleaned(quantised(room.map((x, index) => x + 0.05 + (0.01 * index) / room.length)));
    expect(levelDbfs(out)).toBeLessThan(-70);
  });

  it.each([0.01, 0.05, 0.2])('leaves the sound over an offset of %d as it is', (offset) => {
    const sound = swell(seconds, rate);
    const out = cleaned(sound.map((x) => x + offset));
    expect(signalToErrorDb(out, sound)).toBeGreaterThan(35);
  });

  it.each([
    ['a swelling sound', swell(seconds, rate)],
    ['a hum of 50 Hz', tone(50, rate, seconds * rate, 0.8)],
    ['a hum of 20 Hz', tone(20, rate, seconds * rate, 0.5)],
    ['noise', noise(0.3)],
    ['a quiet room', quantised(room)],
    ['silence', new Float32Array(seconds * rate)],
    ['a recording shorter than a block', tone(440, rate, 700, 0.5)],
    ['a sample', Float32Array.of(0.5)],
  ])('passes %s without an offset as it is', (name, signal) => {
    // A single sample is nothing but an offset.
    const wanted = name === 'a sample' ? new Float32Array(1) : signal;
    expect(largestDifference(cleaned(signal), wanted)).toBe(0);
  });
});

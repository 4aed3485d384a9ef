/** Numbers in [0, 1), one after the other. */
export type Uniform = () => number;

export function between(uniform: Uniform, low: number, high: number): number {
  return low + (high - low) * uniform();
}

/** Every octave between the two is as likely as any other. */
export function pitch(uniform: Uniform, low: number, high: number): number {
  return low * (high / low) ** uniform();
}

export function amplitude(decibels: number): number {
  return 10 ** (decibels / 20);
}

/** Straight lines through random points, one every `stepSamples`, between two values. */
export function contour(
  uniform: Uniform,
  stepSamples: number,
  low: number,
  high: number,
): (sample: number) => number {
  const points: number[] = [];
  return (sample) => {
    const position = sample / stepSamples;
    const before = Math.floor(position);
    while (points.length < before + 2) points.push(between(uniform, low, high));
    return points[before]! + (position - before) * (points[before + 1]! - points[before]!);
  };
}

const tableSize = 2048;

/**
 * One period of a sound of harmonics, with a random phase each. @param levels amplitudes of the
 * harmonics from the first on
 */
export function period(levels: readonly number[], uniform: Uniform): Float32Array {
  const table = new Float32Array(tableSize);
  levels.forEach((level, index) => {
    const phase = 2 * Math.PI * uniform();
    for (let i = 0; i < tableSize; i++) {
      table[i]! += level * Math.sin((2 * Math.PI * (index + 1) * i) / tableSize + phase);
    }
  });
  const highest = table.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  return table.map((value) => value / highest);
}

/** Plays a period again and again. Ask it once a sample. */
export function oscillator(table: Float32Array, sampleRate: number): (hertz: number) => number {
  let place = 0;
  return (hertz) => {
    const before = Math.floor(place);
    const next = table[(before + 1) % tableSize]!;
    const value = table[before]! + (place - before) * (next - table[before]!);
    place = (place + (hertz * tableSize) / sampleRate) % tableSize;
    return value;
  };
}

export interface Resonator {
  tune(hertz: number, bandwidthHz: number): void;
  pass(value: number): number;
}

/** Two poles that let a band through at about its level. */
export function resonator(sampleRate: number): Resonator {
  let [gain, first, second] = [0, 0, 0];
  let [last, lastButOne] = [0, 0];
  return {
    tune: (hertz, bandwidthHz) => {
      const radius = Math.exp((-Math.PI * bandwidthHz) / sampleRate);
      first = 2 * radius * Math.cos((2 * Math.PI * hertz) / sampleRate);
      second = -radius * radius;
      gain =
        (1 - radius) * Math.sqrt(1 - 2 * radius * Math.cos((4 * Math.PI * hertz) / sampleRate) + radius ** 2);
    },
    pass: (value) => {
      const out = gain * value + first * last + second * lastButOne;
      [lastButOne, last] = [last, out];
      return out;
    },
  };
}

/** Rises and falls in `edge` samples at both ends of a stretch. */
export function faded(sample: number, length: number, edge: number): number {
  return Math.max(0, Math.min(1, sample / edge, (length - sample) / edge));
}

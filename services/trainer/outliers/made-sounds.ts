import { createUniform, deriveSeed } from '../../../shared/runtime/random';
import { noiseSamples, type NoiseColour } from './noise';
import { music } from './music';

/** A sound that is none of the classes, mono in [−1, 1]. */
export interface MadeSound {
  readonly kind: string;
  readonly samples: Float32Array;
}

/** Sounds that nothing in the dataset is: a function of the seed, five seconds and more of each kind. */
export function madeSounds(sampleRate: number, seconds: number, seed: number): MadeSound[] {
  const length = Math.round(sampleRate * seconds);
  const uniformOf = (kind: string, index: number): (() => number) =>
    createUniform(deriveSeed(seed, 'unknown', kind, index));
  const several = (kind: string, count: number, make: (index: number) => Float32Array): MadeSound[] =>
    Array.from({ length: count }, (_, index) => ({ kind, samples: make(index) }));
  const colours: NoiseColour[] = ['white', 'pink', 'brown'];
  return [
    ...several('silence', 4, (index) => {
      // Digital silence, and the rounding noise of 16 bits in three loudnesses.
      const uniform = uniformOf('silence', index);
      return Float32Array.from({ length }, () => ((uniform() - 0.5) * index) / 32_768);
    }),
    ...colours.flatMap((colour) =>
      several(`${colour} noise`, 8, (index) =>
        scaled(noiseSamples(colour, length, uniformOf(colour, index)), 0.05 * (index + 1)),
      ),
    ),
    ...several('tone', 12, (index) =>
      tone(length, 110 * 2 ** ((index + uniformOf('tone', index)()) / 2), sampleRate),
    ),
    ...several('sweep', 8, (index) => sweep(length, 60 * (index + 1), 900 * (index + 1), sampleRate)),
    ...several('music', 16, (index) => music(length, sampleRate, uniformOf('music', index))),
  ];
}

function tone(length: number, hertz: number, sampleRate: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => 0.3 * Math.sin((2 * Math.PI * hertz * i) / sampleRate));
}

/** Up and down between two frequencies, twice. */
function sweep(length: number, low: number, high: number, sampleRate: number): Float32Array {
  let phase = 0;
  return Float32Array.from({ length }, (_, i) => {
    const place = 0.5 - 0.5 * Math.cos((4 * Math.PI * i) / length);
    phase += (2 * Math.PI * low * (high / low) ** place) / sampleRate;
    return 0.3 * Math.sin(phase);
  });
}

function scaled(samples: Float32Array, peak: number): Float32Array {
  const highest = samples.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  return samples.map((value) => (value * peak) / highest);
}

import { createUniform, deriveSeed } from '../../../../shared/runtime/random';
import type { MadeSound } from '../made-sounds';
import { amplitude, between, type Uniform } from './synthesis';
import { chirps, partials, shapedNoise, warble } from './textures';
import { babble, beeps, hum, melodies } from './voices';

type Maker = (length: number, sampleRate: number, uniform: Uniform) => Float32Array;

const makers: Readonly<Record<string, Maker>> = {
  'shaped noise': shapedNoise,
  partials,
  chirps,
  warble,
  hum,
  beeps,
  melodies,
  babble,
};

/**
 * Of noise there are so many times more: some classes are hardly anything else, and so it is hardest to
 * tell from them.
 */
const timesMoreNoise = 5;

/** One of them over another. */
function mixture(length: number, sampleRate: number, uniform: Uniform): Float32Array {
  const all = Object.values(makers);
  const draw = (): Float32Array =>
    ofUnitPower(all[Math.floor(uniform() * all.length)]!(length, sampleRate, uniform));
  const [one, other, level] = [draw(), draw(), amplitude(between(uniform, -15, 0))];
  return one.map((value, i) => value + level * other[i]!);
}

/**
 * Sounds that a network may be taught to be none of the classes: a function of the seed. None of their
 * makers makes what the threshold is chosen and judged on (made-sounds.ts, speech.ts): plain noise of
 * three colours, single tones, slow sweeps, plucked chords with drums, and a synthesiser's speech are
 * kept from training, so that they show what a network makes of what it has never heard.
 * @param ofEach sounds of each kind, but of noise five times as many
 */
export function taughtSounds(sampleRate: number, seconds: number, seed: number, ofEach = 12): MadeSound[] {
  const length = Math.round(sampleRate * seconds);
  return Object.entries({ ...makers, mixture }).flatMap(([kind, make]) =>
    Array.from({ length: make === shapedNoise ? timesMoreNoise * ofEach : ofEach }, (_, index) => {
      const uniform = createUniform(deriveSeed(seed, 'taught', kind, index));
      return { kind, samples: ofUnitPower(make(length, sampleRate, uniform)) };
    }),
  );
}

/** Scales a sound to a root mean square of a tenth of full scale. */
function ofUnitPower(samples: Float32Array): Float32Array {
  const power = samples.reduce((sum, value) => sum + value * value, 0) / samples.length;
  const scale = 0.1 / Math.sqrt(power + 1e-20);
  return samples.map((value) => value * scale);
}

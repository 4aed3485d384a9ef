import { createUniform, deriveSeed } from '../runtime/random';

/** A sound that is generated where it is needed, always with the same samples, so it is not stored. */
export interface GoldenClip {
  readonly name: string;
  /** Mono, in [−1, 1]. */
  readonly samples: Float32Array;
}

const bursts = 5;
const clicksPerSecond = 4;
const { PI, exp, floor, sin } = Math;

/**
 * Generates the sounds whose probabilities a trainer stores with a version and a service computes again
 * to check its engine. Each fills one window. Together they exercise a front end: broad and narrow
 * bands, onsets, and silence in between.
 * @param sampleRate Hz
 */
export function goldenClips(sampleRate: number, seconds: number): GoldenClip[] {
  const length = Math.round(sampleRate * seconds);
  const make = (at: (index: number) => number): Float32Array =>
    Float32Array.from({ length }, (_, i) => at(i));
  const noise = createUniform(deriveSeed('golden', 'noise'));
  const click = createUniform(deriveSeed('golden', 'clicks'));
  const burst = length / bursts;
  const period = sampleRate / clicksPerSecond;
  return [
    // Falls to a thousandth within each burst.
    { name: 'noise bursts', samples: make((i) => 0.5 * (2 * noise() - 1) * exp((-7 * (i % burst)) / burst)) },
    // From 50 Hz upwards, one octave per sixth of the duration.
    { name: 'sweep', samples: make((i) => 0.4 * sin(sweepPhase(i / sampleRate, seconds))) },
    {
      name: 'clicks',
      samples: make((i) => 0.8 * (2 * click() - 1) * exp(-((i % period) / sampleRate) * 200)),
    },
    {
      name: 'chord',
      samples: make((i) => {
        const root = 220 * 2 ** (floor((4 * i) / length) / 3);
        const phase = (2 * PI * root * i) / sampleRate;
        return 0.2 * (sin(phase) + sin(1.25 * phase) + sin(1.5 * phase));
      }),
    },
  ];
}

/** The integral of a frequency that rises by six octaves, from 50 Hz to 3,200 Hz. */
function sweepPhase(second: number, seconds: number): number {
  const growth = (6 * Math.LN2) / seconds;
  return (2 * PI * 50 * (exp(growth * second) - 1)) / growth;
}

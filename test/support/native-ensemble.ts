import type { LogMelFrontEnd } from '../../shared/contracts/front-end';
import { melFrontEnd } from '../../shared/contracts/front-end';
import type { KernelsAddon } from '../../shared/compute/kernels/kernels-addon';
import { addonFrontEnd } from '../../shared/compute/kernels/native-ensemble';
import { melSize } from '../../shared/compute/network/mel';
import { createUniform } from '../../shared/runtime/random';
import { melWeights } from './native-mel';

/**
 * Small enough for references that take the square of a frame's length; its filters for low notes are
 * empty.
 */
export const smallFrontEnd: LogMelFrontEnd = {
  ...melFrontEnd,
  sampleRate: 8000,
  fftSamples: 256,
  hopSamples: 80,
  highestHz: 4000,
  windowSeconds: 1,
  cropFrames: 30,
  crops: 4,
};

export interface EnsembleSetting {
  readonly frontEnd?: LogMelFrontEnd;
  readonly instructionSet?: string;
  readonly threads?: number;
}

export const ensembleClasses = 5;
export const ensembleWeights = [1, 2].map((seed) => melWeights('mel-small', ensembleClasses, seed));

/** Two `mel-small` behind a front end. */
export function addonEnsemble(
  addon: KernelsAddon,
  { frontEnd = smallFrontEnd, instructionSet = addon.instructionSets()[0]!, threads = 2 }: EnsembleSetting,
): ReturnType<KernelsAddon['createMelEnsemble']> {
  const ensemble = addon.createMelEnsemble({
    instructionSet,
    threads,
    classes: ensembleClasses,
    members: ensembleWeights.length,
    ...melSize({ architecture: 'mel-small' }),
    ...addonFrontEnd(frontEnd),
  });
  ensembleWeights.forEach((weights, member) => {
    ensemble.setWeights(member, Object.values(weights));
  });
  return ensemble;
}

/** A chirp over noise that fades out: loud and quiet, low and high. */
export function fadingChirp(length: number, sampleRate: number, seed = 4): Float32Array {
  const uniform = createUniform(seed);
  return Float32Array.from({ length }, (_, i) => {
    const seconds = i / sampleRate;
    const chirp = Math.sin(2 * Math.PI * (200 + 900 * seconds) * seconds);
    return (0.5 * chirp + 0.1 * (uniform() - 0.5)) * Math.exp(-1.5 * seconds);
  });
}

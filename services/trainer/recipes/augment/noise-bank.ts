import { melSpectrogram, type MelSpectrogram } from '../../../../shared/front-end/log-mel';
import { windowSamples, type LogMelFrontEnd } from '../../../../shared/contracts/front-end';
import { createUniform, deriveSeed } from '../../../../shared/runtime/random';
import { noiseSamples } from '../../outliers/noise';

/**
 * Spectrograms of white, pink and brown noise, each of mean frame power 1: what rooms and cheap
 * microphones add.
 */
export function noiseBank(frontEnd: LogMelFrontEnd, seed: number): MelSpectrogram[] {
  return (['white', 'pink', 'brown'] as const).map((colour, index) => {
    const uniform = createUniform(deriveSeed(seed, 'noise', index));
    const samples = noiseSamples(colour, windowSamples(frontEnd), uniform);
    const { frames, power, levels } = melSpectrogram(samples, frontEnd);
    const mean = power.reduce((sum, value) => sum + value, 0) / frames;
    return { frames, power: power.map((value) => value / mean), levels };
  });
}

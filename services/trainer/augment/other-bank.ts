import { melSpectrogram, type MelSpectrogram } from '../../../shared/audio/log-mel';
import type { LogMelFrontEnd } from '../../../shared/contracts/front-end';
import { deriveSeed } from '../../../shared/network/random';
import { madeSounds } from '../unknown/made-sounds';

/**
 * Kinds of sounds that a network may be taught to be none of the classes. The others of madeSounds, and speech, are never
 * trained on, so that they show what it makes of what it does not know.
 */
const taughtKinds = ['silence', 'white noise', 'pink noise', 'brown noise', 'tone'];

/** Spectrograms of made sounds, other ones than those that the threshold is chosen on. */
export function otherBank(frontEnd: LogMelFrontEnd, seed: number): MelSpectrogram[] {
  const { sampleRate, windowSeconds } = frontEnd;
  return madeSounds(sampleRate, windowSeconds, deriveSeed(seed, 'taught'))
    .filter(({ kind }) => taughtKinds.includes(kind))
    .map(({ samples }) => melSpectrogram(samples, frontEnd));
}

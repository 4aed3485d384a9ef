import { melSpectrogram, type MelSpectrogram } from '../../../../shared/front-end/log-mel';
import type { Augmentation } from '../../../../shared/contracts/augmentation';
import type { LogMelFrontEnd } from '../../../../shared/contracts/front-end';
import { sha256 } from '../../data/checked-file';
import type { LabelledClip } from '../../data/dataset';
import type { SpectrogramCache } from '../../data/spectrogram-cache';
import { taughtSounds } from '../../outliers/taught/taught-sounds';
import { noiseBank } from './noise-bank';
import { speedCopy } from './speed-copy';

/** The spectrograms from which training crops are taken. */
export interface TrainingSpectra {
  /** By clip, then by speed. */
  readonly clips: readonly (readonly MelSpectrogram[])[];
  readonly noises: readonly MelSpectrogram[];
  /** Outlier sounds, which belong to no class; empty where the recipe trains without them. */
  readonly otherSounds: readonly MelSpectrogram[];
}

export interface TrainingSpectraOptions {
  readonly clips: readonly LabelledClip[];
  readonly frontEnd: LogMelFrontEnd;
  readonly augmentation: Augmentation;
  readonly seed: number;
  readonly cache: SpectrogramCache;
}

/** Every run has the same outlier sounds. */
const taughtSeed = 1;

/**
 * Computes the spectrograms of every clip at every speed and of the outlier sounds, or reads them from
 * the cache.
 */
export async function trainingSpectra(options: TrainingSpectraOptions): Promise<TrainingSpectra> {
  const { frontEnd, augmentation, seed, cache } = options;
  const { speeds, others = 0 } = augmentation;
  const clips: MelSpectrogram[][] = [];
  for (const { samples } of options.clips) {
    const content = sha256(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength));
    clips.push(
      await cache.of(`clip ${content.toString('hex')} at ${speeds.join(', ')}`, () =>
        speeds.map((speed) => melSpectrogram(speedCopy(samples, speed), frontEnd)),
      ),
    );
  }
  const teach = (): MelSpectrogram[] =>
    taughtSounds(frontEnd.sampleRate, frontEnd.windowSeconds, taughtSeed).map(({ samples }) =>
      melSpectrogram(samples, frontEnd),
    );
  return {
    clips,
    noises: noiseBank(frontEnd, seed),
    otherSounds: others > 0 ? await cache.of(`taught sounds ${taughtSeed}`, teach) : [],
  };
}

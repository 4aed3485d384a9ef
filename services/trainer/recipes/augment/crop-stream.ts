import {
  copyCrop,
  cropLevel,
  toDecibels,
  toUnitLevel,
  type MelSpectrogram,
} from '../../../../shared/front-end/log-mel';
import type { Augmentation } from '../../../../shared/contracts/augmentation';
import type { LogMelFrontEnd } from '../../../../shared/contracts/front-end';
import { createUniform, deriveSeed, permutation } from '../../../../shared/runtime/random';
import type { Batch } from '../../data/batches';
import { colour, mixInto, recordElsewhere } from './augment-crop';
import type { TrainingSpectra } from './training-spectra';

export interface CropStreamOptions {
  readonly labels: readonly number[];
  readonly spectra: TrainingSpectra;
  readonly classes: number;
  readonly frontEnd: LogMelFrontEnd;
  readonly batchSize: number;
  readonly seed: number;
  readonly augmentation: Augmentation;
}

/** A crop as quiet as silence beside its clip is drawn again, but not for ever. */
const maxDraws = 6;

/** The batch of a step, 0 for the first. */
export type CropStream = (step: number) => Batch;

/**
 * The training clips as an endless reshuffled stream of augmented crops: the batch of a step is a
 * function of the seed and the step. All transforms were made before: a step only takes from the
 * spectrograms.
 */
export function createCropStream(options: CropStreamOptions): CropStream {
  const { labels: labelOf, classes, frontEnd, batchSize, seed, augmentation } = options;
  const { clips, noises, otherSounds } = options.spectra;
  const { cropFrames, melBins, rangeDecibels } = frontEnd;
  const { others = 0 } = augmentation;
  const cropSize = cropFrames * melBins;

  return (step) => {
    const chosen = Array.from({ length: batchSize }, (_, slot) => {
      const place = step * batchSize + slot;
      const order = permutation(clips.length, deriveSeed(seed, 'shuffle', Math.floor(place / clips.length)));
      return order[place % clips.length]!;
    });
    const crops = chosen.map((clip, slot) => {
      const uniform = createUniform(deriveSeed(seed, 'crop', step, slot));
      const speeds = clips[clip]!;
      return drawCrop(speeds[Math.floor(uniform() * speeds.length)]!, uniform, frontEnd);
    });
    const partners = permutation(batchSize, deriveSeed(seed, 'partners', step));
    const features = new Float32Array(batchSize * cropSize);
    const targets = new Float32Array(batchSize * classes);
    const labels = new Int32Array(batchSize);
    chosen.forEach((clip, slot) => {
      const uniform = createUniform(deriveSeed(seed, 'augment', step, slot));
      const partner = partners[slot]!;
      const share = uniform() < augmentation.mixing ? uniform() : 1;
      const crop = features.subarray(slot * cropSize, (slot + 1) * cropSize);
      const target = targets.subarray(slot * classes, (slot + 1) * classes);
      const [own, other] = [labelOf[clip]!, labelOf[chosen[partner]!]!];
      labels[slot] = share < 0.5 ? other : own;
      if (others > 0 && uniform() < others) {
        crop.set(drawCrop(otherSounds[Math.floor(uniform() * otherSounds.length)]!, uniform, frontEnd));
        target.fill(1 / classes);
      } else {
        crop.set(crops[slot]!);
        if (share < 1) mixInto(crop, crops[partner]!, share);
        target[own]! += share;
        target[other]! += 1 - share;
      }
      recordElsewhere(crop, uniform, augmentation, frontEnd, noises);
      toDecibels(crop, rangeDecibels);
      colour(crop, uniform, augmentation, melBins);
    });
    return { size: batchSize, classes, features, labels, targets };
  };
}

/**
 * A crop of the spectrogram at a random place that is not silence beside the rest, its loudest frame at
 * power 1.
 */
function drawCrop(
  spectrogram: MelSpectrogram,
  uniform: () => number,
  { cropFrames, melBins, silenceDecibels }: LogMelFrontEnd,
): Float32Array {
  const audible = Math.max(...spectrogram.levels) - silenceDecibels;
  let start = 0;
  let level = -Infinity;
  for (let draw = 0; draw < maxDraws && level <= audible; draw++) {
    start = Math.floor(uniform() * spectrogram.frames);
    level = cropLevel(spectrogram, start, cropFrames);
  }
  const crop = new Float32Array(cropFrames * melBins);
  copyCrop(spectrogram, start, crop);
  toUnitLevel(crop, level);
  return crop;
}

import type { AdamwHyperparameters } from '../../../shared/contracts/manifest';
import { AppError } from '../../../shared/errors/app-error';
import type { Batch } from '../data/batches';
import { noCache, openSpectrogramCache } from '../data/spectrogram-cache';
import type { Feed, FeedOptions } from './recipe';
import { createCropStream, type CropStream } from './augment/crop-stream';
import { trainingSpectra } from './augment/training-spectra';

/**
 * Augmented crops of the clips' log-mel spectrograms.
 * @throws AppError internal for another front end
 */
export function cropFeed(options: FeedOptions<AdamwHyperparameters>): Feed {
  const { stepsPerEpoch, batchSize } = options.hyperparameters;
  let stream: CropStream | undefined;
  return {
    clipsPerEpoch: stepsPerEpoch * batchSize,
    batches: async (epoch) => {
      // Not before they are asked for: a run that is complete needs no spectrograms.
      stream ??= await openStream(options);
      return batchesFrom(stream, (epoch - 1) * stepsPerEpoch, stepsPerEpoch);
    },
  };
}

async function openStream(options: FeedOptions<AdamwHyperparameters>): Promise<CropStream> {
  const { clips, frontEnd, classes, seed, cacheFolder, hyperparameters } = options;
  if (frontEnd.kind !== 'log-mel') {
    throw new AppError('internal', 'This recipe augments mel power, which the front end does not have.');
  }
  const { batchSize, augmentation } = hyperparameters;
  const cache = cacheFolder === undefined ? noCache : await openSpectrogramCache(cacheFolder, frontEnd);
  const spectra = await trainingSpectra({ clips, frontEnd, augmentation, seed, cache });
  const labels = clips.map(({ label }) => label);
  return createCropStream({ labels, spectra, classes, frontEnd, batchSize, seed, augmentation });
}

function* batchesFrom(stream: CropStream, first: number, count: number): Generator<Batch> {
  for (let step = first; step < first + count; step++) yield stream(step);
}

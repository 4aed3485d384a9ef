import type { View } from '../../../shared/contracts/front-end';
import type { Hyperparameters, SteppedHyperparameters } from '../../../shared/contracts/manifest';
import { AppError } from '../../../shared/errors/app-error';
import { deriveSeed } from '../../../shared/runtime/random';
import { createCropStream, type CropStream } from './augment/crop-stream';
import { trainingSpectra } from './augment/training-spectra';
import { batchesOf, type Batch } from '../data/batches';
import type { LabelledClip } from '../data/dataset';
import type { SteppedSettings } from '../runs/run-settings';
import { warmUpThenCosine } from './schedule';
import { noCache, openSpectrogramCache } from '../data/spectrogram-cache';

/** What a run is fed, and how fast it learns: all of it a function of the settings, the seed and the place in the run. */
export interface Recipe {
  readonly clipsPerEpoch: number;
  /** @param epoch 1 for the first */
  batches(epoch: number): Promise<Iterable<Batch>>;
  /** @param step 1 for the first of the run */
  learningRate(step: number): number;
}

export interface RecipeOptions {
  readonly settings: SteppedSettings;
  readonly view: View;
  readonly classes: number;
  readonly clips: readonly LabelledClip[];
  /** Of spectrograms; absent: nothing is kept. */
  readonly cacheFolder?: string | undefined;
}

/** Optimiser steps between two validations. */
export function stepsPerEpoch(hyperparameters: SteppedHyperparameters, clips: number): number {
  return hyperparameters.optimizer === 'adamw'
    ? hyperparameters.stepsPerEpoch
    : Math.ceil(clips / hyperparameters.batchSize);
}

/**
 * Whether networks of several folds are published as one version that knows what is none of its classes. The report's networks
 * are only compared.
 */
export function publishesTogether({ optimizer }: Pick<Hyperparameters, 'optimizer'>): boolean {
  return optimizer !== 'adam';
}

/** The report's recipe (`adam`) or `mel`'s (`adamw`). */
export function createRecipe({ settings, view, classes, clips, cacheFolder }: RecipeOptions): Recipe {
  const { hyperparameters, seed } = settings;
  const { batchSize } = hyperparameters;
  switch (hyperparameters.optimizer) {
    case 'adam':
      if (view.kind === 'encoder')
        throw new AppError('internal', 'A head on an encoder is fitted, not trained.');
      return {
        clipsPerEpoch: clips.length,
        batches: (epoch) =>
          Promise.resolve(
            batchesOf(clips, {
              ...{ view, classes, batchSize },
              shuffleSeed: deriveSeed(seed, 'shuffle', epoch),
            }),
          ),
        learningRate: () => hyperparameters.learningRate,
      };
    case 'adamw': {
      if (view.kind !== 'log-mel') {
        throw new AppError('internal', 'This recipe augments mel power, which the view does not have.');
      }
      const { stepsPerEpoch, epochs, warmUp, learningRate, augmentation } = hyperparameters;
      const labels = clips.map(({ label }) => label);
      const steps = stepsPerEpoch * epochs;
      let stream: CropStream | undefined;
      const openStream = async (): Promise<CropStream> =>
        createCropStream({
          ...{ labels, classes, frontEnd: view, batchSize, seed, augmentation },
          spectra: await trainingSpectra({
            ...{ clips, frontEnd: view, augmentation, seed },
            cache: cacheFolder === undefined ? noCache : await openSpectrogramCache(cacheFolder, view),
          }),
        });
      return {
        clipsPerEpoch: stepsPerEpoch * batchSize,
        batches: async (epoch) => {
          // Not before they are asked for: a run that is complete needs no spectrograms.
          stream ??= await openStream();
          return batchesFrom(stream, (epoch - 1) * stepsPerEpoch, stepsPerEpoch);
        },
        learningRate: (step) => learningRate * warmUpThenCosine(step - 1, steps, warmUp),
      };
    }
  }
}

function* batchesFrom(stream: CropStream, first: number, count: number): Generator<Batch> {
  for (let step = first; step < first + count; step++) yield stream(step);
}

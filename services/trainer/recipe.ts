import type { FrontEnd } from '../../shared/contracts/front-end';
import type { Hyperparameters } from '../../shared/contracts/manifest';
import { AppError } from '../../shared/errors/app-error';
import { deriveSeed } from '../../shared/network/random';
import { createCropStream } from './augment/crop-stream';
import { batchesOf, type Batch } from './batches';
import type { LabelledClip } from './dataset';
import type { RunSettings } from './run-settings';
import { warmUpThenCosine } from './schedule';

/** What a run is fed, and how fast it learns: all of it a function of the settings, the seed and the place in the run. */
export interface Recipe {
  readonly clipsPerEpoch: number;
  /** @param epoch 1 for the first */
  batches(epoch: number): Iterable<Batch>;
  /** @param step 1 for the first of the run */
  learningRate(step: number): number;
}

export interface RecipeOptions {
  readonly settings: RunSettings;
  readonly frontEnd: FrontEnd;
  readonly classes: number;
  readonly clips: readonly LabelledClip[];
}

/** Optimiser steps between two validations. */
export function stepsPerEpoch(hyperparameters: Hyperparameters, clips: number): number {
  return hyperparameters.optimizer === 'adamw'
    ? hyperparameters.stepsPerEpoch
    : Math.ceil(clips / hyperparameters.batchSize);
}

/** The report's recipe (`adam`) or `mel`'s (`adamw`). */
export function createRecipe({ settings, frontEnd, classes, clips }: RecipeOptions): Recipe {
  const { hyperparameters, seed } = settings;
  const { batchSize } = hyperparameters;
  switch (hyperparameters.optimizer) {
    case 'adam':
      return {
        clipsPerEpoch: clips.length,
        batches: (epoch) =>
          batchesOf(clips, {
            ...{ frontEnd, classes, batchSize },
            shuffleSeed: deriveSeed(seed, 'shuffle', epoch),
          }),
        learningRate: () => hyperparameters.learningRate,
      };
    case 'adamw': {
      if (frontEnd.kind !== 'log-mel') {
        throw new AppError('internal', 'This recipe augments mel power, which the front end does not have.');
      }
      const { stepsPerEpoch, epochs, warmUp, learningRate, augmentation } = hyperparameters;
      const stream = createCropStream({ clips, classes, frontEnd, batchSize, seed, augmentation });
      const steps = stepsPerEpoch * epochs;
      return {
        clipsPerEpoch: stepsPerEpoch * batchSize,
        batches: function* (epoch) {
          for (let step = 0; step < stepsPerEpoch; step++) yield stream((epoch - 1) * stepsPerEpoch + step);
        },
        learningRate: (step) => learningRate * warmUpThenCosine(step - 1, steps, warmUp),
      };
    }
  }
}

import type { Augmentation } from '../../../shared/contracts/augmentation';
import { melFrontEnd, melFrontEnds } from '../../../shared/contracts/front-end';
import type { AdamwHyperparameters } from '../../../shared/contracts/manifest';
import { deriveSeed } from '../../../shared/runtime/random';
import { cropFeed } from './crop-feed';
import type { SteppedRecipe } from './recipe';
import { warmUpThenCosine } from './schedule';

/** 1.25 to the power of −1, −2/3 … 1: two thirds of an octave around the recording's own speed. */
const speeds = [1, 0.8, 0.8618, 0.9283, 1.0772, 1.1604, 1.25];

const augmentation: Augmentation = {
  speeds,
  mixing: 0.7,
  reverberation: 0.2,
  noise: 0.3,
  noiseDecibels: [5, 40],
  bandLimit: 0.3,
  bandLimitHz: [3400, 11_025],
  equaliserDecibels: 3,
  masks: 2,
  maskBins: 6,
};

/** AdamW's memory of squared gradients is the shorter one: its runs are short. */
const beta2 = 0.99;

/** Crops to learn the rejecting output from, and the share of them that are sounds of no class. */
const outlierBatches = 100;
const outlierShare = 0.4;

/**
 * `mel`'s: augmented crops of log-mel spectrograms, an endless stream of which an epoch is a number of
 * steps.
 */
export const mel: SteppedRecipe<AdamwHyperparameters> = {
  kind: 'stepped',
  name: 'mel',
  networks: [{ architecture: 'mel', width: 12 }],
  frontEnds: melFrontEnds,
  hyperparameters: {
    optimizer: 'adamw',
    learningRate: 0.003,
    batchSize: 32,
    epochs: 10,
    stepsPerEpoch: 150,
    warmUp: 0.1,
    weightDecay: 0.02,
    averageDecay: 0.995,
    selectFromEpoch: 4,
    augmentation,
  },
  initialisation: 'pytorch-uniform',
  choose: 'best-epoch',
  publish: 'together',
  rejection: 'learnt-output',
  stepsPerEpoch: ({ stepsPerEpoch }) => stepsPerEpoch,
  feed: cropFeed,
  learningRate: ({ learningRate, stepsPerEpoch, epochs, warmUp }, step) =>
    learningRate * warmUpThenCosine(step - 1, stepsPerEpoch * epochs, warmUp),
  optimiser: ({ weightDecay, averageDecay }) => ({ beta2, weightDecay, averageDecay }),
  selectFromEpoch: ({ selectFromEpoch }) => selectFromEpoch,
  outlierFeed: (options) => {
    const { hyperparameters, seed } = options;
    const outliers = { ...hyperparameters.augmentation, mixing: 0, others: outlierShare };
    return cropFeed({
      ...options,
      seed: deriveSeed(seed, 'familiarity'),
      hyperparameters: { ...hyperparameters, stepsPerEpoch: outlierBatches, augmentation: outliers },
    });
  },
};

/**
 * The same for the narrow network alone, on one front end; it learns sounds of no class while it is
 * trained.
 */
export const melSmall: SteppedRecipe<AdamwHyperparameters> = {
  ...mel,
  name: 'mel-small',
  networks: [{ architecture: 'mel-small' }],
  frontEnds: [melFrontEnd],
  hyperparameters: { ...mel.hyperparameters, augmentation: { ...augmentation, others: 0.08 } },
};

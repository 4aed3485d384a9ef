import type { Augmentation } from '../../../shared/contracts/augmentation';
import type { Architecture } from '../../../shared/contracts/architecture';
import {
  encoderFrontEnd,
  melFrontEnd,
  melViews,
  reportFrontEnd,
  type FrontEnd,
} from '../../../shared/contracts/front-end';
import type { Hyperparameters, SteppedHyperparameters } from '../../../shared/contracts/manifest';
import { usualPenalty } from '../heads/choose-penalty';

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

const mel: SteppedHyperparameters = {
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
};

/** How an architecture hears and is trained unless the command line says otherwise. */
export interface TrainingDefaults<H extends Hyperparameters = SteppedHyperparameters> {
  readonly frontEnd: FrontEnd;
  readonly hyperparameters: H;
  /** Of the networks (shared/contracts/architecture.ts), where it is not the only one. */
  readonly width?: 12 | 24;
}

const report: TrainingDefaults = {
  frontEnd: reportFrontEnd,
  hyperparameters: { optimizer: 'adam', learningRate: 0.001, batchSize: 32, epochs: 100 },
};

export const trainingDefaults: Readonly<
  Record<Exclude<Architecture, 'encoder'>, TrainingDefaults> & {
    encoder: TrainingDefaults<Extract<Hyperparameters, { optimizer: 'lbfgs' }>>;
  }
> = {
  cnn: report,
  transformer: report,
  mel: { frontEnd: melViews, hyperparameters: mel, width: 12 },
  'mel-small': {
    frontEnd: melFrontEnd,
    hyperparameters: { ...mel, augmentation: { ...augmentation, others: 0.08 } },
  },
  encoder: {
    frontEnd: encoderFrontEnd,
    hyperparameters: { optimizer: 'lbfgs', penalty: usualPenalty },
  },
};

import { reportFrontEnd } from '../../../shared/contracts/front-end';
import { AppError } from '../../../shared/errors/app-error';
import { deriveSeed } from '../../../shared/runtime/random';
import { batchesOf } from '../data/batches';
import type { TrainingPlan } from '../optimise/training-plan';
import type { RunOptions, SteppedRecipe } from './recipe';

/**
 * The report's recipe (report, "Training and evaluation"): an epoch is a pass over the shuffled training
 * clips.
 */
export const report: SteppedRecipe = {
  kind: 'stepped',
  name: 'report',
  networks: [{ architecture: 'cnn' }, { architecture: 'transformer' }],
  frontEnds: [reportFrontEnd],
  hyperparameters: { optimizer: 'adam', learningRate: 0.001, batchSize: 32, epochs: 100 },
  initialisation: 'pytorch-uniform',
  choose: 'best-epoch',
  publish: 'each',
  rejection: 'none',
  plan: shuffledClips,
};

function shuffledClips({ clips, frontEnd, classes, seed, hyperparameters }: RunOptions): TrainingPlan {
  if (frontEnd.kind === 'encoder')
    throw new AppError('internal', 'A head on an encoder is fitted, not trained.');
  const { epochs, learningRate, batchSize } = hyperparameters;
  return {
    epochs,
    learningRate,
    batches: (epoch) => {
      const shuffleSeed = deriveSeed(seed, 'shuffle', epoch);
      return batchesOf(clips, { frontEnd, classes, batchSize, shuffleSeed });
    },
  };
}

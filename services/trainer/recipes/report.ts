import { reportFrontEnd } from '../../../shared/contracts/front-end';
import type { AdamHyperparameters } from '../../../shared/contracts/manifest';
import { AppError } from '../../../shared/errors/app-error';
import { deriveSeed } from '../../../shared/runtime/random';
import { batchesOf } from '../data/batches';
import { plainAdam } from '../optimise/optimiser';
import type { Feed, FeedOptions, SteppedRecipe } from './recipe';

/**
 * The report's recipe (report, "Training and evaluation"): an epoch is a pass over the shuffled training
 * clips.
 */
export const report: SteppedRecipe<AdamHyperparameters> = {
  kind: 'stepped',
  name: 'report',
  networks: [{ architecture: 'cnn' }, { architecture: 'transformer' }],
  frontEnds: [reportFrontEnd],
  hyperparameters: { optimizer: 'adam', learningRate: 0.001, batchSize: 32, epochs: 100 },
  initialisation: 'pytorch-uniform',
  choose: 'best-epoch',
  publish: 'each',
  rejection: 'none',
  stepsPerEpoch: ({ batchSize }, clips) => Math.ceil(clips / batchSize),
  feed: shuffledClips,
  learningRate: ({ learningRate }) => learningRate,
  optimiser: () => plainAdam,
  selectFromEpoch: () => 1,
};

function shuffledClips(options: FeedOptions<AdamHyperparameters>): Feed {
  const { clips, frontEnd, classes, seed, hyperparameters } = options;
  if (frontEnd.kind === 'encoder')
    throw new AppError('internal', 'A head on an encoder is fitted, not trained.');
  const { batchSize } = hyperparameters;
  return {
    clipsPerEpoch: clips.length,
    batches: (epoch) => {
      const shuffleSeed = deriveSeed(seed, 'shuffle', epoch);
      return Promise.resolve(batchesOf(clips, { frontEnd, classes, batchSize, shuffleSeed }));
    },
  };
}

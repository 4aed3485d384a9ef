import { encoderFrontEnd, smallFrontEnd } from '../../../shared/contracts/front-end';
import type { FittedRecipe } from './recipe';

/** The penalty that is taken unless clips speak against it. */
export const usualPenalty = 100;

/**
 * A linear head on the pretrained encoder. Where no penalty is given, the head's training chooses one
 * (heads/choose-penalty.ts).
 */
export const encoderHead: FittedRecipe = {
  kind: 'fitted',
  name: 'encoder-head',
  networks: [{ architecture: 'encoder' }],
  frontEnds: [encoderFrontEnd],
  hyperparameters: { optimizer: 'lbfgs', penalty: usualPenalty },
  initialisation: 'zeros',
  choose: 'last-epoch',
  publish: 'together',
  rejection: 'tags',
};

/** The same on the small encoder, which is in this package: nothing is fetched. */
export const smallHead: FittedRecipe = {
  ...encoderHead,
  name: 'small-head',
  networks: [{ architecture: 'small' }],
  frontEnds: [smallFrontEnd],
};

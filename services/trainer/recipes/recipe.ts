import type { z } from 'zod';
import type { networkConfigSchema } from '../../../shared/contracts/architecture';
import type { FrontEnd } from '../../../shared/contracts/front-end';
import type {
  FittedHyperparameters,
  Manifest,
  SteppedHyperparameters,
} from '../../../shared/contracts/manifest';
import type { FrontEnds } from '../../../shared/contracts/members';
import type { LabelledClip } from '../data/dataset';
import type { TrainingPlan } from '../optimise/training-plan';

/**
 * What all recipes say. Code that trains, judges or publishes asks the recipe, and never which optimiser
 * it has.
 */
interface RecipeCommon {
  readonly name: string;
  /** The networks that it trains, each with what differs from its architecture's own defaults. */
  readonly networks: readonly z.input<typeof networkConfigSchema>[];
  /** A fold trains a network for each. */
  readonly frontEnds: FrontEnds;
  readonly initialisation: Manifest['initialisation'];
  /**
   * The epoch of a network that answers alone; of several that answer together it is always the last.
   */
  readonly choose: 'best-epoch' | 'last-epoch';
  /** Whether the networks of several folds become one version, or are only compared. */
  readonly publish: 'each' | 'together';
  /**
   * How a version knows what is none of its classes: not at all, or by AudioSet's tags. Unless it is
   * `none`, the threshold is judged against outlier sounds.
   */
  readonly rejection: 'none' | 'tags';
}

/** A recipe that trains step by step, on batches, from epoch to epoch. */
export interface SteppedRecipe extends RecipeCommon {
  readonly kind: 'stepped';
  /** The recipe's own, or those of a run, which a request has changed. */
  readonly hyperparameters: SteppedHyperparameters;
  /** What the training loop does for one run. */
  plan(options: RunOptions): TrainingPlan;
}

/** A recipe that fits a head on an encoder to its optimum: it has no batches, steps or epochs. */
export interface FittedRecipe extends RecipeCommon {
  readonly kind: 'fitted';
  readonly hyperparameters: FittedHyperparameters;
}

export type Recipe = SteppedRecipe | FittedRecipe;

export interface RunOptions {
  readonly hyperparameters: SteppedHyperparameters;
  /** Of everything random in the run. */
  readonly seed: number;
  readonly frontEnd: FrontEnd;
  readonly classes: number;
  readonly clips: readonly LabelledClip[];
}

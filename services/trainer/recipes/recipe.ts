import type { z } from 'zod';
import type { networkConfigSchema } from '../../../shared/contracts/architecture';
import type { FrontEnd } from '../../../shared/contracts/front-end';
import type {
  FittedHyperparameters,
  Manifest,
  SteppedHyperparameters,
} from '../../../shared/contracts/manifest';
import type { FrontEnds } from '../../../shared/contracts/members';
import type { Batch } from '../data/batches';
import type { LabelledClip } from '../data/dataset';
import type { OptimiserOptions } from '../optimise/optimiser';
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
   * How a version knows what is none of its classes: not at all, by an output that is fitted after
   * training, or by AudioSet's tags. Unless it is `none`, the threshold is judged against outlier
   * sounds.
   */
  readonly rejection: 'none' | 'learnt-output' | 'tags';
}

/** A recipe that trains step by step, on batches, from epoch to epoch. */
export interface SteppedRecipe<
  H extends SteppedHyperparameters = SteppedHyperparameters,
> extends RecipeCommon {
  readonly kind: 'stepped';
  /** The recipe's own, or those of a run, which a request has changed. */
  readonly hyperparameters: H;
  /** Optimiser steps between two validations. */
  stepsPerEpoch(hyperparameters: H, clips: number): number;
  feed(options: FeedOptions<H>): Feed;
  /** @param step 1 for the first of the run */
  learningRate(hyperparameters: H, step: number): number;
  /** `averageDecay` above 0: the running mean of the weights is the model. */
  optimiser(hyperparameters: H): OptimiserOptions;
  /** Earlier epochs are not chosen. */
  selectFromEpoch(hyperparameters: H): number;
  /** What the output that rejects is fitted to; only where `rejection` is `learnt-output`. */
  outlierFeed?(options: FeedOptions<H>): Feed;
}

/** A recipe that fits a head on an encoder to its optimum: it has no batches, steps or epochs. */
export interface FittedRecipe extends RecipeCommon {
  readonly kind: 'fitted';
  readonly hyperparameters: FittedHyperparameters;
}

export type Recipe = SteppedRecipe | FittedRecipe;

export interface FeedOptions<H extends SteppedHyperparameters = SteppedHyperparameters> {
  readonly hyperparameters: H;
  /** Of everything random in the feed. */
  readonly seed: number;
  readonly frontEnd: FrontEnd;
  readonly classes: number;
  readonly clips: readonly LabelledClip[];
  /** Of spectrograms; absent: nothing is kept. */
  readonly cacheFolder?: string | undefined;
}

/** What a run is fed: a function of the settings, the seed and the place in the run. */
export interface Feed {
  readonly clipsPerEpoch: number;
  /** @param epoch 1 for the first */
  batches(epoch: number): Promise<Iterable<Batch>>;
}

/** What the training loop needs of a recipe, for one run. */
export function planOf(recipe: SteppedRecipe, options: Omit<FeedOptions, 'hyperparameters'>): TrainingPlan {
  const { hyperparameters } = recipe;
  const feed = recipe.feed({ ...options, hyperparameters });
  return {
    epochs: hyperparameters.epochs,
    clipsPerEpoch: feed.clipsPerEpoch,
    batches: (epoch) => feed.batches(epoch),
    learningRate: (step) => recipe.learningRate(hyperparameters, step),
    optimiser: recipe.optimiser(hyperparameters),
    selectFromEpoch: recipe.selectFromEpoch(hyperparameters),
  };
}

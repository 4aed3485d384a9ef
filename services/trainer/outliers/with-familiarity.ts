import { concatenate } from '../../../shared/signal/concatenate';
import type { NetworkConfig } from '../../../shared/contracts/architecture';
import type { View } from '../../../shared/contracts/front-end';
import type { LoadedEngine } from '../../../shared/compute/provide/load-engine';
import { createScorer } from '../../../shared/compute/inference/scorer';
import { createNetwork } from '../../../shared/compute/network/create-network';
import type { Network } from '../../../shared/compute/network/network';
import { deriveSeed } from '../../../shared/runtime/random';
import type { WeightValues } from '../../../shared/registry/weights-file';
import type { Batch } from '../data/batches';
import { createRecipe } from '../recipes/recipe';
import type { FoldSplit } from '../data/folds';
import type { TrainedRun } from '../optimise/train';
import { fitLogistic } from './logistic-regression';

export interface FamiliarityOptions {
  readonly view: View;
  readonly classes: readonly string[];
  readonly engine: LoadedEngine;
  readonly cacheFolder?: string | undefined;
}

/** Crops to learn it from: augmented as for training, but unmixed, and this share of them sounds of no class. */
const othersShare = 0.4;
const batches = 100;
const penalty = 0.03;

/** The network as `withFamiliarity` leaves it and as it is published: `mel` with one output more, others as they are. */
export function publishedForm(config: NetworkConfig): NetworkConfig {
  return 'familiarity' in config || (config.architecture !== 'mel' && config.architecture !== 'mel-small')
    ? config
    : { ...config, familiarity: true };
}

/**
 * The run with one output more, which says how familiar a sound is: a logistic regression on the statistics that the last
 * layer is given, between the training clips and made sounds of no class. The network itself stays as it is, and so do its
 * logits; whichever engine computes them computes this output with them.
 */
export async function withFamiliarity(
  run: TrainedRun,
  split: FoldSplit,
  options: FamiliarityOptions,
): Promise<TrainedRun> {
  const { network, progress } = run;
  const { hyperparameters } = progress.settings;
  const config = publishedForm(network.config);
  if (hyperparameters.optimizer !== 'adamw' || config === network.config) return run;
  const settings = {
    ...progress.settings,
    seed: deriveSeed(progress.settings.seed, 'familiarity'),
    hyperparameters: {
      ...hyperparameters,
      stepsPerEpoch: batches,
      augmentation: { ...hyperparameters.augmentation, mixing: 0, others: othersShare },
    },
  };
  const classes = options.classes.length;
  const recipe = createRecipe({ ...options, settings, classes, clips: split.train });
  const crops = [...(await recipe.batches(1))];
  const fit = (weights: WeightValues): WeightValues => addOutput(network, weights, crops, options.engine);
  return {
    ...run,
    network: createNetwork(config, classes),
    progress: { ...progress, settings: { ...progress.settings, network: config } },
    lastWeights: fit(run.lastWeights),
    bestWeights: fit(run.bestWeights),
  };
}

function addOutput(
  network: Network,
  weights: WeightValues,
  crops: readonly Batch[],
  engine: LoadedEngine,
): WeightValues {
  const [kernel, bias] = [weights['dense/kernel']!, weights['dense/bias']!];
  const classes = bias.length;
  const width = kernel.length / classes;
  const statistics = statisticsOf(network, weights, crops, engine);
  const isFamiliar = crops.flatMap(({ size, targets }) =>
    Array.from(
      { length: size },
      (_, row) => Math.max(...targets!.subarray(row * classes, (row + 1) * classes)) >= 0.5,
    ),
  );
  const familiar = fitLogistic(statistics, isFamiliar, penalty);
  const joined = new Float32Array(width * (classes + 1));
  for (let i = 0; i < width; i++) {
    joined.set(kernel.subarray(i * classes, (i + 1) * classes), i * (classes + 1));
    joined[i * (classes + 1) + classes] = familiar.kernel[i]!;
  }
  return { ...weights, 'dense/kernel': joined, 'dense/bias': Float32Array.of(...bias, familiar.bias) };
}

/** What the last layer is given: the outputs of a network whose last layer passes them on. */
function statisticsOf(
  { config }: Network,
  weights: WeightValues,
  crops: readonly Batch[],
  engine: LoadedEngine,
): Float32Array {
  const width = weights['dense/kernel']!.length / weights['dense/bias']!.length;
  const identity = new Float32Array(width * width);
  for (let i = 0; i < width; i++) identity[i * (width + 1)] = 1;
  const scorer = createScorer(
    createNetwork(config, width),
    { ...weights, 'dense/kernel': identity, 'dense/bias': new Float32Array(width) },
    engine,
  );
  try {
    const rows = crops.map(({ features, size }) => scorer.logits(features, size));
    return concatenate(
      rows,
      rows.reduce((sum, { length }) => sum + length, 0),
    );
  } finally {
    scorer.dispose();
  }
}

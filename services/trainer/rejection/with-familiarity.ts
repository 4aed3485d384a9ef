import { concatenate } from '../../../shared/signal/concatenate';
import { networkConfigSchema, type NetworkConfig } from '../../../shared/contracts/architecture';
import type { LoadedEngine } from '../../../shared/compute/provide/load-engine';
import { createScorer } from '../../../shared/compute/inference/scorer';
import { createNetwork } from '../../../shared/compute/network/create-network';
import type { Network } from '../../../shared/compute/network/network';
import type { WeightValues } from '../../../shared/registry/weights-file';
import type { Batch } from '../data/batches';
import type { FeedOptions, Recipe, SteppedRecipe } from '../recipes/recipe';
import type { TrainedRun } from '../optimise/train';
import { fitLogistic } from './logistic-regression';

const penalty = 0.03;

/**
 * The network as it is published: with one output more, where the recipe rejects by one that is fitted
 * after training.
 */
export function publishedForm(
  config: NetworkConfig,
  { rejection }: Pick<Recipe, 'rejection'>,
): NetworkConfig {
  return rejection === 'learnt-output' ? networkConfigSchema.parse({ ...config, familiarity: true }) : config;
}

/**
 * The run with one output more, which says how familiar a sound is: a logistic regression on the
 * statistics that the last layer is given, between the training clips and made sounds of no class. The
 * network itself stays as it is, and so do its logits; whichever engine computes them computes this
 * output with them. Where the recipe rejects otherwise, the run comes back as it is.
 */
export async function withFamiliarity(
  run: TrainedRun,
  recipe: SteppedRecipe,
  options: Omit<FeedOptions, 'hyperparameters'>,
  engine: LoadedEngine,
): Promise<TrainedRun> {
  const { network, progress } = run;
  const feed = recipe.outlierFeed?.({ ...options, hyperparameters: recipe.hyperparameters });
  if (feed === undefined) return run;
  const config = publishedForm(network.config, recipe);
  const crops = [...(await feed.batches(1))];
  const fit = (weights: WeightValues): WeightValues => addOutput(network, weights, crops, engine);
  return {
    ...run,
    network: createNetwork(config, options.classes),
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

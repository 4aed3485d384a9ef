import type { NetworkConfig } from '../../shared/contracts/architecture';
import { windowSamples } from '../../shared/contracts/front-end';
import { createNetwork } from '../../shared/compute/network/create-network';
import type { LoadedEngine } from '../../shared/compute/provide/load-engine';
import { createUniform } from '../../shared/runtime/random';
import { createLearner } from '../../services/trainer/optimise/learner';
import { freshState } from '../../services/trainer/optimise/network-state';
import type { SteppedRecipe } from '../../services/trainer/recipes/recipe';
import { recipeFor } from '../../services/trainer/recipes/recipes';
import type { CheckRow } from './check-row';

const steps = 10;
const clips = 8;
const classes = 4;
const learningRate = 0.001;

/** The largest relative difference of a loss to the kernels' that is allowed. */
export interface TrainingLimits {
  /** Of the first step's, which no step was taken before. */
  readonly first: number;
  /**
   * Of any of the ten: Adam divides a gradient by its own size, so that the rounding of the smallest ones
   * moves weights as far as the largest do.
   */
  readonly ten: number;
}

/**
 * Trains the same network from the same weights, on the same clips and with the same activations
 * dropped, on an engine and on the native kernels.
 */
export function trainOnBoth(
  config: NetworkConfig,
  engine: LoadedEngine,
  native: LoadedEngine,
  limits: TrainingLimits,
): CheckRow {
  const recipe = recipeFor(config.architecture) as SteppedRecipe;
  const [frontEnd] = recipe.frontEnds;
  const network = createNetwork(config, classes);
  const sounds = Array.from({ length: clips }, (_, clip) => ({
    filename: String(clip),
    fold: 1,
    source: 'one',
    label: clip % classes,
    samples: tone(windowSamples(frontEnd), clip),
  }));
  const { hyperparameters } = recipe;
  const [batch] = recipe.plan({ hyperparameters, seed: 1, frontEnd, classes, clips: sounds }).batches(1);
  const start = freshState(network, 1);
  const [theirs, ours] = [engine, native].map((one) => {
    const learner = createLearner(network, start, one);
    const startedMs = performance.now();
    const losses = Array.from({ length: steps }, (_, step) => learner.step(batch!, learningRate, step).loss);
    const ms = (performance.now() - startedMs) / steps;
    learner.dispose();
    return { losses, ms };
  });
  const differences = theirs!.losses.map((loss, step) => Math.abs(loss / ours!.losses[step]! - 1));
  const [first, largest] = [differences[0]!, Math.max(...differences)];
  const learns = [theirs!, ours!].every(({ losses }) => losses.at(-1)! < losses[0]!);
  return {
    check: 'training',
    subject: `${config.architecture}, ${steps} steps of ${batch!.size} inputs`,
    figures: {
      'relative difference of the loss, first step': first,
      'largest of ten': largest,
      'loss, first step': theirs!.losses[0]! / batch!.size,
      'loss, last step': theirs!.losses.at(-1)! / batch!.size,
      'ms a step': theirs!.ms,
      'ms a step on the kernels': ours!.ms,
    },
    verdict: {
      passed: first <= limits.first && largest <= limits.ten && learns,
      expected: `at most ${limits.first} at first and ${limits.ten} later, and both learn`,
    },
  };
}

/** A tone of its own for each class, in noise. */
function tone(length: number, clip: number): Float32Array {
  const uniform = createUniform(clip);
  const step = 0.02 * (1 + (clip % classes));
  return Float32Array.from({ length }, (_, at) => 0.4 * Math.sin(at * step) + 0.2 * (uniform() - 0.5));
}

import type { Batch } from '../data/batches';
import type { OptimiserOptions } from './optimiser';

/**
 * How one run is trained. All of it is a function of the run's settings, its seed and the place in the
 * run.
 */
export interface TrainingPlan {
  readonly epochs: number;
  readonly clipsPerEpoch: number;
  /** @param epoch 1 for the first */
  batches(epoch: number): Promise<Iterable<Batch>>;
  /** @param step 1 for the first of the run */
  learningRate(step: number): number;
  readonly optimiser: OptimiserOptions;
  /** Earlier epochs are not chosen. */
  readonly selectFromEpoch: number;
}

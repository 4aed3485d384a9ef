import type { Batch } from '../data/batches';

/** How one run is trained. All of it is a function of the run's settings, its seed and the epoch. */
export interface TrainingPlan {
  readonly epochs: number;
  readonly learningRate: number;
  /** In the order in which they come. @param epoch 1 for the first */
  batches(epoch: number): Iterable<Batch>;
}

import { join } from 'node:path';
import type { JobHyperparameters, TrainingJobRequest } from '../../../shared/contracts/training-job';
import { trainingRequestSchema, type TrainingRequest } from '../../../shared/contracts/training-request';
import { AppError } from '../../../shared/errors/app-error';
import { marksEsc10 } from '../../../shared/datasets/dataset-csv';
import type { TrainerConfig } from '../options/config';

/**
 * One run of a job as a training, which always goes on where it was. @throws AppError
 * invalid-configuration for a list of values
 */
export function trainingRequestOf(request: TrainingJobRequest, config: TrainerConfig): TrainingRequest {
  const { architecture, hyperparameters, protocol, dataset, seed } = request;
  return trainingRequestSchema.parse({
    architecture,
    hyperparameters: singleValues(hyperparameters),
    protocol,
    seed,
    data: dataset === undefined ? undefined : join(config.datasetsFolder, dataset),
    // Of the trainer's own data, what the served models know.
    esc10Only: dataset === undefined && marksEsc10(config.dataFolder),
    resume: true,
  });
}

function singleValues(hyperparameters: JobHyperparameters): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(hyperparameters).map(([name, value]) => {
      if (!Array.isArray(value)) return [name, value];
      if (value.length === 1) return [name, value[0]];
      throw new AppError('invalid-configuration', 'A run has one value of each hyperparameter.');
    }),
  );
}

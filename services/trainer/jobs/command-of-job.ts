import { join } from 'node:path';
import type { JobRequest } from '../../../shared/contracts/job';
import { AppError } from '../../../shared/errors/app-error';
import type { TrainCommand } from '../command-line';
import type { TrainerConfig } from '../config';
import { marksEsc10 } from '../../../shared/datasets/dataset-csv';

/** What `npm run train` would be told for one run of a job, always to go on where it was. @throws AppError invalid-configuration */
export function commandOfJob(request: JobRequest, config: TrainerConfig): TrainCommand {
  const { architecture, hyperparameters, protocol, dataset, seed } = request;
  const one = <T>(value: T | T[] | undefined): T | undefined => {
    if (!Array.isArray(value)) return value;
    if (value.length === 1) return value[0];
    throw new AppError('invalid-configuration', 'A run has one value of each hyperparameter.');
  };
  return {
    architecture,
    recipe: undefined,
    'learning-rate': one(hyperparameters.learningRate),
    'batch-size': one(hyperparameters.batchSize),
    epochs: one(hyperparameters.epochs),
    'steps-per-epoch': one(hyperparameters.stepsPerEpoch),
    dropout: one(hyperparameters.dropout),
    penalty: one(hyperparameters.penalty),
    heads: one(hyperparameters.heads),
    hidden: one(hyperparameters.hidden),
    'batch-norm': one(hyperparameters.batchNorm),
    'test-fold': protocol.testFold,
    'validation-fold': protocol.validationFold,
    'cross-validate': protocol.crossValidate,
    seed,
    seeds: 1,
    precision: 'float16',
    data: dataset === undefined ? undefined : join(config.datasetsFolder, dataset),
    // Of the trainer's own data, what the served models know.
    'esc10-only': dataset === undefined && marksEsc10(config.dataFolder),
    blind: false,
    resume: true,
    fresh: false,
  };
}

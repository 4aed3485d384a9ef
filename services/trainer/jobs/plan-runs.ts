import type { JobHyperparameters, TrainingJobRequest } from '../../../shared/contracts/training-job';
import { AppError } from '../../../shared/errors/app-error';

/** More would be a mistake. */
const maxRuns = 256;

/** Every combination of the values that a list gives; one for a request without lists. */
export function combinationsOf(request: TrainingJobRequest): TrainingJobRequest[] {
  let combinations: JobHyperparameters[] = [{}];
  for (const [name, value] of Object.entries(request.hyperparameters)) {
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    combinations = combinations.flatMap((combination) =>
      values.map((chosen) => ({ ...combination, [name]: chosen })),
    );
  }
  return combinations.map((hyperparameters) => ({ ...request, hyperparameters }));
}

/**
 * The runs of a job: one for each combination of hyperparameters and each fold that validates, in this
 * order. A job of one run has no other.
 * @param folds of the dataset, in order
 * @throws AppError invalid-configuration when they are too many
 */
export function planRuns(request: TrainingJobRequest, folds: readonly number[]): TrainingJobRequest[] {
  const { testFold, crossValidate, validationFold } = request.protocol;
  const validated = crossValidate ? folds.filter((fold) => fold !== testFold) : [validationFold];
  const runs = combinationsOf(request).flatMap((combination) =>
    validated.map((fold) => ({
      ...combination,
      protocol: { testFold, validationFold: fold, crossValidate: false },
      promote: 'never' as const,
    })),
  );
  if (runs.length > maxRuns) {
    throw new AppError(
      'invalid-configuration',
      `The lists make ${runs.length} runs; at most ${maxRuns} may be asked for.`,
    );
  }
  return runs;
}

/** The combination whose runs validated best on average; the first of several. */
export function bestCombination(
  request: TrainingJobRequest,
  accuracies: readonly number[],
): TrainingJobRequest {
  const combinations = combinationsOf(request);
  const perCombination = accuracies.length / combinations.length;
  const means = combinations.map(
    (_, index) =>
      accuracies
        .slice(index * perCombination, (index + 1) * perCombination)
        .reduce((sum, accuracy) => sum + accuracy, 0) / perCombination,
  );
  return combinations[means.indexOf(Math.max(...means))]!;
}

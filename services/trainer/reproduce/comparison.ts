import type { CrossValidation } from '../../../shared/contracts/report';
import { summariseFolds } from '../../../shared/metrics/summarise-folds';
import { foldResult } from '../evaluate/fold-figures';
import type { CrossValidatedRun, SingleRun } from './protocol';
import type { RunResult, TestedReport } from './results-file';

/** A run of the report's table beside ours; `result` is absent until it is finished. */
export interface ComparedRun extends SingleRun {
  readonly result: RunResult | undefined;
}

/** A cross-validation of the report beside ours; `ours` is absent until every fold is finished. */
export interface ComparedFolds extends CrossValidatedRun {
  readonly ours: CrossValidation | undefined;
  /** The reports of the folds that are finished. */
  readonly reports: readonly TestedReport[];
}

export interface Comparison {
  readonly singles: readonly ComparedRun[];
  readonly crossValidations: readonly ComparedFolds[];
}

export function reportOf(result: RunResult | undefined): TestedReport | undefined {
  return result !== undefined && 'report' in result ? result.report : undefined;
}

/** @param folds results of one setting, one a validation fold */
export function compareFolds(
  run: CrossValidatedRun,
  folds: readonly (RunResult | undefined)[],
): ComparedFolds {
  const reports = folds.flatMap((result) => reportOf(result) ?? []);
  const whole = reports.length === folds.length && reports.length > 0;
  const testFold = reports[0]?.configuration.protocol.testFold ?? 1;
  const results = reports.map(({ configuration, evaluations }) =>
    foldResult(configuration.protocol, evaluations),
  );
  return { ...run, reports, ours: whole ? summariseFolds(testFold, results) : undefined };
}

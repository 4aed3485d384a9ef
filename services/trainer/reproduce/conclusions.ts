import { meanInterval, type MeanInterval } from '../../../shared/metrics/mean-interval';
import { difference, interval, percent } from '../report/markup/format';
import { reportOf, type Comparison } from './comparison';
import type { TestedReport } from './results-file';

export const conclusionsHead = ['the report concludes', 'ours', 'points (95 %)', 'so'] as const;

/** The note below the table: how its intervals are computed. */
export const conclusionsNote =
  'Differences of validation accuracy after the last epoch, which the report reads, between runs that differ in one setting: ' +
  'fold by fold in the cross-validations, pair by pair in the single runs. Intervals are Student’s over those three or four ' +
  'differences, each of one run: they hold the chance of a seed and a fold. A claim holds where the whole interval is on its side.';

/** Returns the report's conclusions beside the figures of our runs. Those without runs are left out. */
export function conclusionRows(comparison: Comparison): string[][] {
  const heads = (more: number, fewer: number): string[] =>
    comparedRow(
      `Heads help: ${more} against ${fewer}`,
      'cross-validated, paired by fold',
      pairedByFold(comparison, `transformer heads ${more}`, `transformer heads ${fewer}`),
    );
  return [
    heads(4, 1),
    heads(2, 1),
    comparedRow(
      'Hidden 1024 against 512 changes little',
      'single runs, paired by heads',
      pairedByHeads(comparison),
      'small',
    ),
    comparedRow(
      'Transformers beat CNNs: 4 heads against the cnn',
      'cross-validated, paired by fold',
      pairedByFold(comparison, 'transformer heads 4', 'cnn'),
    ),
    learntNothing(comparison),
    comparedRow(
      'The CNN overfits: training above validation',
      'cross-validated, each fold',
      overfitting(comparison),
    ),
  ].filter((row) => row.length > 0);
}

function comparedRow(
  claim: string,
  how: string,
  differences: readonly number[],
  expected: 'positive' | 'small' = 'positive',
): string[] {
  if (differences.length < 2) return [];
  const measured = meanInterval(differences);
  return [
    claim,
    `${how}, ${differences.length} differences`,
    difference(measured),
    verdict(measured, expected),
  ];
}

function verdict({ lower, upper }: MeanInterval, expected: 'positive' | 'small'): string {
  const isZeroWithin = lower <= 0 && upper >= 0;
  if (expected === 'small') {
    return isZeroWithin
      ? 'no difference is shown; the interval says how large one could be'
      : 'does not hold: there is a difference';
  }
  if (isZeroWithin) return 'neither shown nor refuted';
  return lower > 0 ? 'holds' : 'does not hold: it is the other way round';
}

function validationOf({ evaluations }: TestedReport): number {
  return evaluations.last.validation.accuracy;
}

/** Returns the difference in accuracy for each fold that both cross-validations have. */
function pairedByFold({ crossValidations }: Comparison, first: string, second: string): number[] {
  const accuracies = (title: string): Map<number, number> =>
    new Map(
      crossValidations
        .filter((run) => run.title === title)
        .flatMap(({ reports }) =>
          reports.map((report) => [report.configuration.protocol.validationFold, validationOf(report)]),
        ),
    );
  const [ours, others] = [accuracies(first), accuracies(second)];
  return [...ours].flatMap(([fold, accuracy]) => {
    const other = others.get(fold);
    return other === undefined ? [] : [accuracy - other];
  });
}

/** Returns the accuracy with hidden 1024 minus that with hidden 512, for each number of heads. */
function pairedByHeads({ singles }: Comparison): number[] {
  const accuracyOf = (heads: number, hidden: number): number | undefined => {
    const run = singles.find(
      ({ setting: { hyperparameters: of } }) => of.heads === heads && of.hidden === hidden,
    );
    const report = reportOf(run?.result);
    return report === undefined ? undefined : validationOf(report);
  };
  return [1, 2, 4].flatMap((heads) => {
    const [wide, narrow] = [accuracyOf(heads, 1024), accuracyOf(heads, 512)];
    return wide === undefined || narrow === undefined ? [] : [wide - narrow];
  });
}

function overfitting({ crossValidations }: Comparison): number[] {
  const reports = crossValidations.find(({ title }) => title === 'cnn')?.reports ?? [];
  return reports.map((report) => report.history.at(-1)!.trainAccuracy - validationOf(report));
}

/** Accuracy of guessing: there are ten classes with equally many clips. */
const chance = 0.1;

function learntNothing({ singles }: Comparison): string[] {
  const run = singles.find(
    ({ setting }) =>
      setting.architecture === 'cnn' &&
      setting.hyperparameters.learningRate === 0.01 &&
      setting.hyperparameters.batchSize === 64,
  );
  const report = reportOf(run?.result);
  if (report === undefined) return [];
  const { accuracy, accuracyInterval } = report.evaluations.last.validation;
  const learnt = report.history.at(-1)!.trainAccuracy;
  const isChance =
    accuracyInterval.lower <= chance && accuracyInterval.upper >= chance && learnt < 2 * chance;
  return [
    'Learning rate 0.01 with batch 64 learns nothing',
    `training ${percent(learnt)}, validation`,
    `${percent(accuracy)} (${interval(accuracyInterval)})`,
    isChance ? 'holds' : 'does not hold',
  ];
}

import type { Evaluation } from '../../../shared/contracts/evaluation';
import { interval, percent, percentSpread, ratio } from '../report/format';
import { reportOf, type ComparedFolds, type ComparedRun } from './comparison';

/** The comparison as text, for the page and for the Markdown file alike. */
export const singleRunHead = [
  'run',
  'report: test',
  'validation',
  'F1',
  'ours, last epoch: test (95 %)',
  'validation',
  'F1',
  'ours, best epoch: test (95 %)',
  'validation',
  'F1',
  'epoch',
] as const;

export function singleRunCells({ title, reported, result }: ComparedRun): string[] {
  const theirs = [
    percent(reported.testAccuracy),
    percent(reported.validationAccuracy),
    reported.macroF1.toFixed(2),
  ];
  const report = reportOf(result);
  if (report === undefined) {
    const state = result === undefined ? 'not run yet' : 'diverged';
    return [title, ...theirs, state, ...Array.from({ length: 6 }, () => '')];
  }
  const { last, best } = report.evaluations;
  const ours = (test: Evaluation, validation: Evaluation): string[] => [
    `${percent(test.accuracy)} (${interval(test.accuracyInterval)})`,
    percent(validation.accuracy),
    ratio(test.macro.f1),
  ];
  return [
    title,
    ...theirs,
    ...ours(last.test, last.validation),
    ...ours(best.test, best.validation),
    String(best.epoch),
  ];
}

export const foldsHead = [
  'cross-validation',
  'report: validation',
  'ours, last epoch: validation',
  'test',
  'test F1',
  'ours, best epoch: validation',
  'test',
  'test F1',
] as const;

export function foldsCells({ title, reportedValidationMean, ours, reports }: ComparedFolds): string[] {
  const start = [title, percent(reportedValidationMean)];
  if (ours === undefined)
    return [...start, `${reports.length} folds run`, ...Array.from({ length: 5 }, () => '')];
  return [
    ...start,
    // Of each fold's one network an epoch is chosen.
    ...[ours.last, ours.best!].flatMap((spread) => [
      percentSpread(spread.validationAccuracy),
      // Every run of this protocol is tested.
      percentSpread(spread.testAccuracy!),
      ratio(spread.testMacroF1!.mean),
    ]),
  ];
}

/** What every reader of the figures must know. */
export const comparisonNotes = [
  'Test fold 1 was never trained or selected on. Single runs train on folds 3, 4, 5 and validate on fold 2; in a ' +
    'cross-validation each of the folds 2 to 5 validates in turn.',
  'The last epoch is the report’s choice; the best epoch has the highest validation accuracy (ties: lower loss). ' +
    'Intervals are Wilson’s at 95 %: of 80 clips one is 1.25 points. Means over folds carry their standard deviation. ' +
    'F1 is macro, of the test fold.',
] as const;

import type { Evaluation } from '../../../shared/contracts/evaluation';
import { interval, percent, percentSpread, ratio } from '../report/markup/format';
import type { ColumnGroup } from '../report/tables';
import { intervalRule } from '../report/charts/interval-rule';
import { reportOf, type ComparedFolds, type ComparedRun, type Comparison } from './comparison';

/**
 * The comparison as text, for the page and for the Markdown file alike; the first group holds a row's
 * name.
 */
export const singleRunGroups: readonly ColumnGroup[] = [
  { title: '', columns: ['run'] },
  { title: 'report', columns: ['test', 'validation', 'F1'] },
  { title: 'ours, last epoch', columns: ['test (95 %)', 'validation', 'F1'] },
  { title: 'ours, best epoch', columns: ['test (95 %)', 'validation', 'F1', 'epoch'] },
];

/**
 * The names of all columns, where there is one line for them: a group's title stands before its first.
 */
export function flatHead(groups: readonly ColumnGroup[]): string[] {
  return groups.flatMap(({ title, columns }) =>
    columns.map((column, index) => (index === 0 && title !== '' ? `${title}: ${column}` : column)),
  );
}

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

export const foldsGroups: readonly ColumnGroup[] = [
  { title: '', columns: ['cross-validation'] },
  { title: 'report', columns: ['validation'] },
  { title: 'ours, last epoch', columns: ['validation', 'test', 'test F1'] },
  { title: 'ours, best epoch', columns: ['validation', 'test', 'test F1'] },
];

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
export function comparisonNotes({ singles }: Comparison): string[] {
  const judged = singles.flatMap(({ result }) => {
    const report = reportOf(result);
    return report === undefined
      ? []
      : [report.evaluations.last, report.evaluations.best].flatMap(({ test, validation }) => [
          test,
          validation,
        ]);
  });
  return [
    'Test fold 1 was never trained or selected on. Single runs train on folds 3, 4, 5 and validate on fold 2; in a ' +
      'cross-validation each of the folds 2 to 5 validates in turn.',
    'The last epoch is the report’s choice; the best epoch has the highest validation accuracy (ties: lower loss). ' +
      `${judged.length === 0 ? '' : `${intervalRule(judged)} `}Of 80 clips one is 1.25 points. Means over folds carry their standard deviation. ` +
      'F1 is macro, of the test fold.',
  ];
}

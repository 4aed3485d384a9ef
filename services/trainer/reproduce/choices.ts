import { percent } from '../report/markup/format';
import { reportOf, type Comparison, type ComparedFolds } from './comparison';
import { reportedChoices } from './protocol';
import type { TestedReport } from './results-file';

export const choicesHead = [
  'architecture',
  'the report chose',
  'its validation',
  'ours, last epoch',
  'its validation',
  'ours, best epoch',
  'its validation',
] as const;

/**
 * The report's task 5: for each architecture the single run, or runs, of the highest validation
 * accuracy.
 */
export function choiceRows({ singles }: Comparison): string[][] {
  return reportedChoices.map(({ architecture, chosen, validationAccuracy }) => {
    const runs = singles.flatMap(({ title, setting, result }) => {
      const report = reportOf(result);
      return report === undefined || setting.architecture !== architecture
        ? []
        : [{ name: title.slice(architecture.length + 1), report }];
    });
    const best = (epoch: 'last' | 'best'): string[] => {
      const accuracyOf = (report: TestedReport): number => report.evaluations[epoch].validation.accuracy;
      const highest = Math.max(...runs.map(({ report }) => accuracyOf(report)));
      const chosenRuns = runs.filter(({ report }) => accuracyOf(report) === highest);
      return runs.length === 0
        ? ['not run yet', '']
        : [chosenRuns.map(({ name }) => name).join(', '), percent(highest)];
    };
    return [architecture, chosen, percent(validationAccuracy), ...best('last'), ...best('best')];
  });
}

/** One column a validation fold that any run was validated on. */
export function foldHead(crossValidations: readonly ComparedFolds[]): string[] {
  return ['validation accuracy', ...foldNumbers(crossValidations).map((fold) => `fold ${fold}`), 'mean'];
}

/** The report's figures of each fold where it gives them, and ours below them. */
export function foldRows(crossValidations: readonly ComparedFolds[]): string[][] {
  const folds = foldNumbers(crossValidations);
  return crossValidations.flatMap(({ title, reportedFolds, reportedValidationMean, reports }) => {
    const ours = (epoch: 'last' | 'best'): string[] => {
      const accuracies = folds.map(
        (fold) =>
          reports.find(({ configuration }) => configuration.protocol.validationFold === fold)?.evaluations[
            epoch
          ].validation.accuracy,
      );
      const known = accuracies.filter((accuracy) => accuracy !== undefined);
      const mean = known.reduce((sum, accuracy) => sum + accuracy, 0) / known.length;
      return [
        `${title}: ours, ${epoch} epoch`,
        ...accuracies.map((accuracy) => (accuracy === undefined ? '–' : percent(accuracy))),
        known.length === folds.length ? percent(mean) : '–',
      ];
    };
    // The report's folds are 2, 3, 4 and 5.
    const theirs = folds.map((fold) => reportedFolds?.[fold - 2]);
    return [
      [
        `${title}: report`,
        ...theirs.map((accuracy) => (accuracy === undefined ? '–' : percent(accuracy))),
        percent(reportedValidationMean),
      ],
      ...(reports.length === 0 ? [] : [ours('last'), ours('best')]),
    ];
  });
}

function foldNumbers(crossValidations: readonly ComparedFolds[]): number[] {
  const folds = crossValidations.flatMap(({ reports }) =>
    reports.map(({ configuration }) => configuration.protocol.validationFold),
  );
  return [...new Set(folds)].sort((a, b) => a - b);
}

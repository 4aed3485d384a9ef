import type {
  CrossValidation,
  EpochEvaluation,
  FoldFigures,
  FoldResult,
  LearningCurve,
  Spread,
} from '../../../shared/contracts/report';
import { spread } from '../../../shared/metrics/spread';
import type { VersionEvaluation } from './evaluation';

/** One fold's line in a cross-validation. */
export function foldResult(
  { validationFold, trainFolds }: { readonly validationFold: number; readonly trainFolds: readonly number[] },
  { best, last }: Pick<VersionEvaluation, 'best' | 'last'>,
): FoldResult {
  const figures = ({ epoch, validation, test }: EpochEvaluation): FoldFigures => ({
    epoch,
    validationAccuracy: validation.accuracy,
    validationMacroF1: validation.macro.f1,
    ...(test === undefined ? {} : { testAccuracy: test.accuracy, testMacroF1: test.macro.f1 }),
  });
  return {
    validationFold,
    trainFolds: [...trainFolds],
    last: figures(last),
    ...(best === undefined ? {} : { best: figures(best) }),
  };
}

/** What a run or an ensemble is worth, for a terminal. */
export function evaluationLines({ best, last, calibration }: VersionEvaluation): string {
  const line = (name: string, { epoch, validation, test }: EpochEvaluation): string => {
    const validated = `validation accuracy ${percent(validation.accuracy)}, loss ${validation.loss.toFixed(3)}`;
    if (test === undefined) return `${name} epoch (${epoch}): ${validated}`;
    const { lower, upper } = test.accuracyInterval;
    return (
      `${name} epoch (${epoch}): test accuracy ${percent(test.accuracy)} (95 % interval ${percent(lower)} to ` +
      `${percent(upper)}), test macro F1 ${test.macro.f1.toFixed(3)}, ${validated}`
    );
  };
  const lines = [...(best === undefined ? [] : [line('best-validation', best)]), line('last', last)];
  if (calibration === undefined) return lines.join('\n');
  const { temperature, before, after, test, unknown, unknownTest } = calibration;
  return [
    ...lines,
    `temperature ${temperature.toFixed(3)}: expected calibration error ${percent(before.expectedCalibrationError)} → ` +
      `${percent(after.expectedCalibrationError)}; unknown below ${percent(unknown.threshold)}: AUROC ` +
      `${unknown.auroc.toFixed(3)}, ${percent(unknown.falseAcceptRate)} of other sounds accepted at ` +
      `${percent(unknown.trueAcceptRate)} of the clips`,
    ...(test === undefined
      ? []
      : [`test: expected calibration error ${percent(test.expectedCalibrationError)}`]),
    ...(unknownTest === undefined
      ? []
      : [
          `test, all networks: AUROC ${unknownTest.auroc.toFixed(3)}, ${percent(unknownTest.falseAcceptRate)} of other ` +
            `sounds accepted at ${percent(unknownTest.trueAcceptRate)} of the clips`,
        ]),
  ].join('\n');
}

/** Mean and spread over seeds of what the folds' last epochs gave on average. */
export function seedLines(summaries: readonly CrossValidation[]): string {
  const means = summaries.map(({ last }) => last.validationAccuracy.mean);
  const { mean, standardDeviation } = spread(means);
  return (
    `last epochs, mean ± standard deviation over ${means.length} seeds (${means.map(percent).join(', ')}): ` +
    `validation ${percent(mean)} ± ${percent(standardDeviation ?? 0)}`
  );
}

/** Mean and spread over the folds, for the last epochs and, where they were chosen, the best. */
export function crossValidationLines(summary: CrossValidation): string {
  const spread = ({ mean, standardDeviation }: Spread): string =>
    `${percent(mean)} ± ${percent(standardDeviation ?? 0)}`;
  return (['best', 'last'] as const)
    .flatMap((which) => {
      const figures = summary[which];
      if (figures === undefined) return [];
      const { validationAccuracy, testAccuracy } = figures;
      const tested = testAccuracy === undefined ? '' : `, test ${spread(testAccuracy)}`;
      const label = which === 'best' ? 'best-validation epochs' : 'last epochs';
      return (
        `${label}, mean ± standard deviation over ${summary.folds.length} folds: ` +
        `validation ${spread(validationAccuracy)}${tested}`
      );
    })
    .join('\n');
}

/** Accuracy by recordings a class, mean ± standard deviation over draws of them. */
export function learningLines({ validation, test = [] }: LearningCurve): string {
  return Object.entries({ validation, test })
    .flatMap(([judged, points]) =>
      points.map(({ recordings, accuracy: { mean, standardDeviation } }) => {
        const taught = recordings === 1 ? '1 recording' : `${recordings} recordings`;
        return `learnt from ${taught} a class: ${judged} ${percent(mean)} ± ${percent(standardDeviation ?? 0)}`;
      }),
    )
    .join('\n');
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}

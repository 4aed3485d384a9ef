import type { Protocol } from '../../shared/contracts/manifest';
import type { EpochEvaluation, FoldResult } from '../../shared/contracts/report';

/** A run's row of a cross-validation. */
export function foldResult(
  { validationFold, trainFolds }: Protocol,
  evaluations: { readonly best: EpochEvaluation; readonly last: EpochEvaluation },
): FoldResult {
  const figures = ({ epoch, validation, test }: EpochEvaluation): FoldResult['best'] => ({
    epoch,
    validationAccuracy: validation.accuracy,
    validationMacroF1: validation.macro.f1,
    testAccuracy: test.accuracy,
    testMacroF1: test.macro.f1,
  });
  return {
    validationFold,
    trainFolds: [...trainFolds],
    best: figures(evaluations.best),
    last: figures(evaluations.last),
  };
}

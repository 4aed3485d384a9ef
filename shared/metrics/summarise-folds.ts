import type { CrossValidation, FiguresSpread, FoldFigures, FoldResult } from '../contracts/report';
import { spread } from './spread';

/**
 * Returns mean and spread over the folds of a cross-validation, for the last epoch of each and, where
 * every fold has one, the best.
 */
export function summariseFolds(testFold: number | null, folds: readonly FoldResult[]): CrossValidation {
  const best = folds.flatMap((fold) => fold.best ?? []);
  return {
    testFold,
    folds: [...folds],
    ...(best.length === folds.length ? { best: figuresSpread(best) } : {}),
    last: figuresSpread(folds.map((fold) => fold.last)),
  };
}

function figuresSpread(figures: readonly FoldFigures[]): FiguresSpread {
  return {
    validationAccuracy: spread(figures.map((figure) => figure.validationAccuracy)),
    validationMacroF1: spread(figures.map((figure) => figure.validationMacroF1)),
    ...optional('testAccuracy', figures),
    ...optional('testMacroF1', figures),
  };
}

/** Returns nothing where the test fold was not evaluated. */
function optional(
  name: 'testAccuracy' | 'testMacroF1',
  figures: readonly FoldFigures[],
): Partial<FiguresSpread> {
  const values = figures.flatMap((figure) => figure[name] ?? []);
  return values.length === 0 ? {} : { [name]: spread(values) };
}

import type { CrossValidation, FiguresSpread, FoldFigures, FoldResult } from '../contracts/report';
import { spread } from './spread';

/** Mean and spread over the folds of a cross-validation, for the best and for the last epoch of each. */
export function summariseFolds(testFold: number, folds: readonly FoldResult[]): CrossValidation {
  return {
    testFold,
    folds: [...folds],
    best: figuresSpread(folds.map((fold) => fold.best)),
    last: figuresSpread(folds.map((fold) => fold.last)),
  };
}

function figuresSpread(figures: readonly FoldFigures[]): FiguresSpread {
  return {
    validationAccuracy: spread(figures.map((figure) => figure.validationAccuracy)),
    validationMacroF1: spread(figures.map((figure) => figure.validationMacroF1)),
    testAccuracy: spread(figures.map((figure) => figure.testAccuracy)),
    testMacroF1: spread(figures.map((figure) => figure.testMacroF1)),
  };
}

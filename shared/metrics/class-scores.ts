export interface ClassScores {
  readonly support: number;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

/**
 * Computes precision, recall and F1 of one class against the rest, over all clips.
 *
 * A ratio 0/0 counts as 0: the precision of a class that was never predicted, the recall of a class
 * without clips, and the F1 of a class that is neither (scikit-learn: `zero_division=0`).
 * @param confusion `[classes][classes]`, rows are true classes
 */
export function classScores(confusion: readonly (readonly number[])[], classIndex: number): ClassScores {
  const truePositives = confusion[classIndex]![classIndex]!;
  const support = confusion[classIndex]!.reduce((sum, count) => sum + count, 0);
  const predicted = confusion.reduce((sum, row) => sum + row[classIndex]!, 0);
  return {
    support,
    precision: ratio(truePositives, predicted),
    recall: ratio(truePositives, support),
    f1: ratio(2 * truePositives, support + predicted),
  };
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

/**
 * Counts of true class against predicted class.
 *
 * @param labels true class of each clip, 0 … classCount − 1
 * @param predictions predicted class of each clip, in the same order
 * @returns `[classCount][classCount]`, rows are true classes, columns predicted ones
 * @throws RangeError when the lengths differ or a class is out of range
 */
export function confusionMatrix(
  labels: readonly number[],
  predictions: readonly number[],
  classCount: number,
): number[][] {
  if (labels.length !== predictions.length) {
    throw new RangeError(
      `expected as many predictions as labels, got ${predictions.length} and ${labels.length}`,
    );
  }
  const matrix = Array.from({ length: classCount }, () => new Array<number>(classCount).fill(0));
  labels.forEach((label, clip) => {
    const row = matrix[label];
    const predicted = predictions[clip]!;
    if (row?.[predicted] === undefined) {
      throw new RangeError(
        `expected classes 0 to ${classCount - 1}, got ${label} and ${predicted} at clip ${clip}`,
      );
    }
    row[predicted] += 1;
  });
  return matrix;
}

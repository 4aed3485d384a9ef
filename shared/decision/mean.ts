/**
 * Returns the element-wise mean of vectors of equal length, summed in double precision.
 * @param weights one per vector, not all 0; absent: all equal
 * @throws RangeError for no vectors, or vectors of different lengths
 */
export function mean(
  vectors: readonly ArrayLike<number>[],
  weights: readonly number[] = vectors.map(() => 1),
): Float64Array {
  const length = vectors[0]?.length;
  if (length === undefined || vectors.some((vector) => vector.length !== length)) {
    throw new RangeError(
      `Expected vectors of one length, got lengths [${vectors.map((v) => v.length).join(', ')}].`,
    );
  }
  const sum = new Float64Array(length);
  vectors.forEach((vector, index) => {
    for (let i = 0; i < length; i++) sum[i]! += weights[index]! * vector[i]!;
  });
  const total = weights.reduce((all, weight) => all + weight, 0);
  return sum.map((value) => value / total);
}

/**
 * The mean of equally long vectors, element by element, summed in double precision.
 * @throws RangeError for no vectors, or vectors of different lengths
 */
export function mean(vectors: readonly ArrayLike<number>[]): Float64Array {
  const length = vectors[0]?.length;
  if (length === undefined || vectors.some((vector) => vector.length !== length)) {
    throw new RangeError(
      `Expected vectors of one length, got lengths [${vectors.map((v) => v.length).join(', ')}].`,
    );
  }
  const sum = new Float64Array(length);
  for (const vector of vectors) {
    for (let i = 0; i < length; i++) sum[i]! += vector[i]!;
  }
  return sum.map((total) => total / vectors.length);
}

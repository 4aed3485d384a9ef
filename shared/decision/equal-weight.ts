/**
 * Repeats the rows of each group until all groups have equally many, so that an average over all rows
 * gives each group the same weight. Groups of equal length are returned unchanged.
 * @param groups none may be empty
 */
export function withEqualWeight<T>(groups: readonly (readonly T[])[]): T[] {
  const rowsPerGroup = groups.reduce((common, { length }) => (common * length) / divisor(common, length), 1);
  return groups.flatMap((rows) =>
    Array.from({ length: rowsPerGroup }, (_, index) => rows[index % rows.length]!),
  );
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}

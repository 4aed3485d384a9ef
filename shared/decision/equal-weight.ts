/** The rows of one or several members for a window, equally many of each. */
export interface MemberRows<T> {
  readonly rows: readonly T[];
  readonly members: number;
}

/**
 * Repeats rows until all members have equally many, so that an average over all rows is the mean over
 * the members of the mean over each one's rows. Where all have equally many, nothing is repeated.
 * @param groups none may be empty
 */
export function withEqualWeight<T>(groups: readonly MemberRows<T>[]): T[] {
  const rowsPerMember = groups.reduce(
    (common, { rows, members }) => leastCommonMultiple(common, rows.length / members),
    1,
  );
  return groups.flatMap(({ rows, members }) =>
    Array.from({ length: rowsPerMember * members }, (_, index) => rows[index % rows.length]!),
  );
}

function leastCommonMultiple(a: number, b: number): number {
  return (a * b) / divisor(a, b);
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}

/**
 * The rows of all groups, each group's repeated until all have equally many: whoever averages them then gives each group the
 * same say, however many rows it has. Where all have equally many already, they are as they were.
 * @param groups none empty
 */
export function withEqualSay<T>(groups: readonly (readonly T[])[]): T[] {
  const each = groups.reduce((common, { length }) => (common * length) / divisor(common, length), 1);
  return groups.flatMap((rows) => Array.from({ length: each }, (_, index) => rows[index % rows.length]!));
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}

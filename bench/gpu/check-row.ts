/** The parts of the check, in their order. */
export const checks = [
  'load',
  'parity',
  'training',
  'engine',
  'memory',
  'device',
  'classify',
  'streams',
] as const;

/** A line of the check's table. */
export interface CheckRow {
  readonly check: (typeof checks)[number];
  /** What was computed, and on what. */
  readonly subject: string;
  /** By name and unit: `ms a window, batch 16`. */
  readonly figures: Readonly<Record<string, number>>;
  /** Whether it is as it must be, and what that is; absent: a figure, which no limit is set for. */
  readonly verdict?: { readonly passed: boolean; readonly expected: string };
}

/** What must not exceed a limit. */
export function within(value: number, limit: number): NonNullable<CheckRow['verdict']> {
  return { passed: value <= limit, expected: `at most ${limit}` };
}

/** The row of a check that could not be made: it counts as failed, and the others go on. */
export function failedRow(check: CheckRow['check'], subject: string, error: unknown): CheckRow {
  const reason = (error instanceof Error ? error.message : String(error)).slice(0, 300);
  return { check, subject, figures: {}, verdict: { passed: false, expected: `no error (${reason})` } };
}

export const tableHead = '| check | of | measured | as it must be |\n| --- | --- | --- | --- |';

/** A row of the table in Markdown. Messages of engines may hold what would end a cell. */
export function lineOf({ check, subject, figures, verdict }: CheckRow): string {
  const cells = Object.entries(figures).map(([name, value]) => `${name}: ${rounded(value)}`);
  const result = verdict === undefined ? '' : `${verdict.passed ? 'yes' : 'NO'}, ${verdict.expected}`;
  return `| ${check} | ${subject} | ${cells.join('; ')} | ${result.replaceAll(/[\n|]/g, ' ')} |`;
}

function rounded(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(3);
}

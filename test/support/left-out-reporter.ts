import { relative } from 'node:path';
import { optionalMark, readTitle } from './left-out';

interface Results {
  readonly numPendingTests: number;
  readonly testResults: readonly {
    readonly testFilePath: string;
    readonly testResults: readonly {
      readonly status: string;
      readonly title: string;
      readonly ancestorTitles: readonly string[];
    }[];
  }[];
}

/**
 * Jest's reporter that says at the end of a run which tests were left out, and for want of what. Under
 * CI that is a failure.
 */
export default class LeftOutReporter {
  #error: Error | undefined;

  onRunComplete(_: unknown, results: Results): void {
    const byCause = leftOut(results);
    if (byCause.size === 0) return;
    const lines = [...byCause].flatMap(([cause, blocks]) => [
      `  ${cause}:`,
      ...[...blocks].sort().map((block) => `    ${block}`),
    ]);
    process.stderr.write(`\nTests left out:\n${lines.join('\n')}\n`);
    const isAllowed = [...byCause.keys()].every((cause) => cause.endsWith(optionalMark));
    if (isAllowed || !isCi(process.env['CI'])) return;
    this.#error = new Error('Tests were left out, and CI runs them all');
    process.stderr.write(`${this.#error.message}\n`);
  }

  getLastError(): Error | undefined {
    return this.#error;
  }
}

/** @returns the blocks that were left out, with their files, by cause */
function leftOut({ testResults }: Results): Map<string, Set<string>> {
  const byCause = new Map<string, Set<string>>();
  for (const { testFilePath, testResults: tests } of testResults) {
    const file = relative(process.cwd(), testFilePath).replace(/^dist\/(.*)\.js$/, '$1.ts');
    for (const { status, title, ancestorTitles } of tests) {
      if (status !== 'pending') continue;
      const titles = [...ancestorTitles, title].map(readTitle);
      const missing = titles.find((read) => read.missing !== undefined)?.missing;
      const cause = missing === undefined ? 'skipped by the test itself' : `without ${missing}`;
      const blocks = byCause.get(cause) ?? new Set<string>();
      byCause.set(cause, blocks.add(`${file}: ${titles[0]!.title}`));
    }
  }
  return byCause;
}

function isCi(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== 'false';
}

import type { Comparison } from './comparison';
import { comparisonNotes, foldsCells, foldsHead, singleRunCells, singleRunHead } from './comparison-cells';

/** `models/REPORT.md`: the tables alone. */
export function renderComparisonMarkdown({ singles, crossValidations }: Comparison): string {
  const finished = singles.filter(({ result }) => result !== undefined).length;
  return `# The report's results beside ours

${comparisonNotes.join('\n\n')}

${finished} of ${singles.length} single runs are finished. \`REPORT.html\` has the charts, curves, confusion matrices, ROC
curves and parameter tables, \`REPORT.json\` every figure; \`npm run reproduce\` makes all three.

## Single runs

${table(singleRunHead, singles.map(singleRunCells))}

## Cross-validation

${table(foldsHead, crossValidations.map(foldsCells))}
`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const rule = `|${head.map((_, index) => (index === 0 ? '---' : '---:')).join('|')}|`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}

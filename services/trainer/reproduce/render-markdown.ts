import type { Comparison } from './comparison';
import { choiceRows, choicesHead, foldHead, foldRows } from './choices';
import {
  comparisonNotes,
  flatHead,
  foldsCells,
  foldsGroups,
  singleRunCells,
  singleRunGroups,
} from './comparison-cells';
import { conclusionRows, conclusionsHead, conclusionsNote } from './conclusions';

/** `models/REPORT.md`: the tables alone. */
export function renderComparisonMarkdown(comparison: Comparison): string {
  const { singles, crossValidations } = comparison;
  const finished = singles.filter(({ result }) => result !== undefined).length;
  return `# The report's results beside ours

${comparisonNotes(comparison).join('\n\n')}

${finished} of ${singles.length} single runs are finished. \`REPORT.html\` has the charts, curves, confusion matrices, ROC
curves and parameter tables, \`REPORT.json\` every figure; \`npm run reproduce\` makes all three.

## Single runs

${table(flatHead(singleRunGroups), singles.map(singleRunCells))}

## Cross-validation

${table(flatHead(foldsGroups), crossValidations.map(foldsCells))}

${table(foldHead(crossValidations), foldRows(crossValidations))}

## The best hyperparameters, by validation

${table(choicesHead, choiceRows(comparison))}

## What the report concludes, and what holds here

${conclusionsNote}

${table(conclusionsHead, conclusionRows(comparison))}
`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const rule = `|${head.map((_, index) => (index === 0 ? '---' : '---:')).join('|')}|`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}

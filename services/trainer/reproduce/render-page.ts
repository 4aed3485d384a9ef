import type { Evaluation } from '../../../shared/contracts/evaluation';
import { barChart } from '../report/charts/bar-chart';
import { interval, percent, tickPercent } from '../report/markup/format';
import { type Markup, markup, trusted } from '../report/markup/markup';
import { curves, epochSection } from '../report/report-sections';
import { style } from '../report/charts/style';
import {
  configurationTable,
  crossValidationTable,
  groupedTable,
  parameterTable,
  plainTable,
} from '../report/tables';
import { reportOf, type ComparedFolds, type ComparedRun, type Comparison } from './comparison';
import type { TestedReport } from './results-file';
import { choiceRows, choicesHead, foldHead, foldRows } from './choices';
import {
  comparisonNotes,
  foldsCells,
  foldsGroups,
  singleRunCells,
  singleRunGroups,
} from './comparison-cells';
import { conclusionRows, conclusionsHead, conclusionsNote } from './conclusions';

/** `models/REPORT.html`: one file without a script, which asks no host for anything. */
export function renderComparisonPage(comparison: Comparison): string {
  const { singles, crossValidations } = comparison;
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>The report’s results beside ours</title>
<style>${trusted(style)}</style>
</head>
<body>
<h1>The report’s results beside ours</h1>
${comparisonNotes(comparison).map((note) => markup`<p class="quiet">${note}</p>\n`)}
<h2>Single runs</h2>
${groupedTable(singleRunGroups, singles.map(singleRunCells))}
${charts(singles)}
<h2>The best hyperparameters, by validation</h2>
<div class="wordy">${plainTable(choicesHead, choiceRows(comparison))}</div>
<h2>Cross-validation</h2>
${groupedTable(foldsGroups, crossValidations.map(foldsCells))}
<h3>Fold by fold</h3>
${plainTable(foldHead(crossValidations), foldRows(crossValidations))}
${crossValidations.map(foldsSection)}
<h2>What the report concludes, and what holds here</h2>
<div class="wordy">${plainTable(conclusionsHead, conclusionRows(comparison))}</div>
<p class="quiet">${conclusionsNote}</p>
<h2>Every run</h2>
${singles.map(runSection)}
</body>
</html>
`.html;
}

/** The report's three: test accuracy, validation accuracy, F1. */
function charts(singles: readonly ComparedRun[]): Markup {
  const chart = (
    title: string,
    reported: (run: ComparedRun) => number,
    ours: (report: TestedReport) => {
      readonly value: number;
      readonly interval?: Evaluation['accuracyInterval'];
    },
    isShare: boolean,
  ): Markup => {
    const format = isShare ? percent : (value: number): string => value.toFixed(2);
    const tick = isShare ? tickPercent : (value: number): string => value.toFixed(1);
    const axisTitle = isShare ? 'clips right' : 'macro F1';
    const bars = singles.map((run) => {
      const report = reportOf(run.result);
      const figure = report === undefined ? undefined : ours(report);
      return { name: run.title, first: reported(run), second: figure?.value, interval: figure?.interval };
    });
    return markup`<h3>${title}</h3>${barChart(`${title}: the report’s and ours, run by run`, bars, { axisTitle, format, tick })}`;
  };
  const accuracy = ({ accuracy: value, accuracyInterval }: Evaluation) => ({
    value,
    interval: accuracyInterval,
  });
  return markup`<p class="key"><span class="muted">report</span><span>ours, last epoch, with its 95 % interval</span></p>
${chart(
  'Test accuracy',
  (run) => run.reported.testAccuracy,
  ({ evaluations }) => accuracy(evaluations.last.test),
  true,
)}
${chart(
  'Validation accuracy',
  (run) => run.reported.validationAccuracy,
  ({ evaluations }) => accuracy(evaluations.last.validation),
  true,
)}
${chart(
  'Macro F1 on the test fold',
  (run) => run.reported.macroF1,
  ({ evaluations }) => ({ value: evaluations.last.test.macro.f1 }),
  false,
)}`;
}

function foldsSection({ title, ours, reports }: ComparedFolds): Markup {
  if (reports.length === 0) return markup``;
  return markup`<details><summary><h3>${title}, fold by fold</h3></summary>
${ours === undefined ? '' : crossValidationTable(ours, 4)}
${reports.map(
  (report) =>
    markup`<h4>Validation fold ${report.configuration.protocol.validationFold}</h4>${curves(report, 5)}`,
)}</details>\n`;
}

function runSection({ title, result }: ComparedRun): Markup {
  const report = reportOf(result);
  if (report === undefined) {
    const why = result !== undefined && 'diverged' in result ? result.diverged : 'Not run yet.';
    return markup`<h3>${title}</h3><p>${why}</p>\n`;
  }
  const { last } = report.evaluations;
  const { accuracy, accuracyInterval } = last.test;
  return markup`<details><summary><h3>${title}: test accuracy ${percent(accuracy)} (${interval(accuracyInterval)})</h3></summary>
${curves(report, 4)}
${epochSection(`Last epoch: ${last.epoch}`, last, 4)}
<h4>Network</h4>${parameterTable(report.parameterTable)}
<h4>Configuration</h4>${configurationTable(report)}</details>\n`;
}

import type { Evaluation } from '../../../shared/contracts/evaluation';
import { barChart } from '../report/bar-chart';
import { interval, percent } from '../report/format';
import { type Markup, markup, trusted } from '../report/markup';
import { curves, epochSection } from '../report/report-sections';
import { style } from '../report/style';
import { configurationTable, crossValidationTable, parameterTable, plainTable } from '../report/tables';
import { reportOf, type ComparedFolds, type ComparedRun, type Comparison } from './comparison';
import type { TestedReport } from './results-file';
import { comparisonNotes, foldsCells, foldsHead, singleRunCells, singleRunHead } from './comparison-cells';

/** `models/REPORT.html`: one file without a script, which asks no host for anything. */
export function renderComparisonPage({ singles, crossValidations }: Comparison): string {
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
${comparisonNotes.map((note) => markup`<p class="quiet">${note}</p>\n`)}
<h2>Single runs</h2>
<div class="named">${plainTable(singleRunHead, singles.map(singleRunCells))}</div>
${charts(singles)}
<h2>Cross-validation</h2>
${plainTable(foldsHead, crossValidations.map(foldsCells))}
${crossValidations.map(foldsSection)}
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
    format: (value: number) => string,
  ): Markup => {
    const bars = singles.map((run) => {
      const report = reportOf(run.result);
      const figure = report === undefined ? undefined : ours(report);
      return { name: run.title, first: reported(run), second: figure?.value, interval: figure?.interval };
    });
    return markup`<h3>${title}</h3>${barChart(`${title}: the report’s and ours, run by run`, bars, format)}`;
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
  wholePercent,
)}
${chart(
  'Validation accuracy',
  (run) => run.reported.validationAccuracy,
  ({ evaluations }) => accuracy(evaluations.last.validation),
  wholePercent,
)}
${chart(
  'Macro F1 on the test fold',
  (run) => run.reported.macroF1,
  ({ evaluations }) => ({ value: evaluations.last.test.macro.f1 }),
  (value) => value.toFixed(2),
)}`;
}

function wholePercent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function foldsSection({ title, ours, reports }: ComparedFolds): Markup {
  if (reports.length === 0) return markup``;
  return markup`<details><summary>${title}, fold by fold</summary>
${ours === undefined ? '' : crossValidationTable(ours)}
${reports.map(
  (report) =>
    markup`<h3>Validation fold ${report.configuration.protocol.validationFold}</h3>${curves(report)}`,
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
  return markup`<details><summary>${title}: test accuracy ${percent(accuracy)} (${interval(accuracyInterval)})</summary>
${curves(report)}
${epochSection(`Last epoch: ${last.epoch}`, last)}
<h3>Network</h3>${parameterTable(report.parameterTable)}
<h3>Configuration</h3>${configurationTable(report)}</details>\n`;
}

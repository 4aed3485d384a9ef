import type { Evaluation } from '../../../shared/contracts/evaluation';
import { servedEvaluation, type Report } from '../../../shared/contracts/report';
import { calibrationSection } from './calibration-section';
import { interval, percent, ratio } from './format';
import { type Markup, markup, trusted } from './markup';
import { curves, epochSection } from './report-sections';
import { style } from './style';
import { configurationTable, crossValidationTable, parameterTable, summaryTable } from './tables';

/**
 * A version's report as one HTML file: it has no script, asks no host for anything (its own policy forbids
 * it) and opens from disk. Whatever a user named, class names above all, is escaped.
 */
export function renderReportHtml(report: Report): string {
  const { evaluations, calibration, crossValidation } = report;
  const { best } = evaluations;
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${report.version}: training report</title>
<style>${trusted(style)}</style>
</head>
<body>
${header(report)}
<h2>Figures</h2>
${summaryTable(evaluations)}
<p class="quiet">The best epoch has the highest validation accuracy (on a tie the lower loss). The interval is
Wilson’s at 95 %. Precision, recall, F1 and AUC see one class against the rest over all clips; macro is their mean.</p>
${curves(report)}
${calibration === undefined ? '' : calibrationSection(calibration)}
${best === undefined ? '' : epochSection(`Best epoch: ${best.epoch}`, best)}
${epochSection(`Last epoch: ${evaluations.last.epoch}`, evaluations.last)}
${crossValidation ? markup`<h2>Cross-validation</h2>${crossValidationTable(crossValidation)}` : ''}
<h2>Network</h2>
${parameterTable(report.parameterTable)}
<h2>Configuration</h2>
${configurationTable(report)}
</body>
</html>
`.html;
}

function header({ version, configuration, evaluations }: Report): Markup {
  const served = servedEvaluation({ evaluations });
  const { test, validation, epoch } = served;
  const { testFold, validationFold, trainFolds } = configuration.protocol;
  const { members = 1 } = configuration;
  const tile = (name: string, figure: string, note: string): Markup =>
    markup`<div class="tile">${name}<b>${figure}</b><span class="quiet">${note}</span></div>\n`;
  const accuracy = (name: string, evaluation: Evaluation): Markup => {
    const { accuracy: share, accuracyInterval, correct, clips } = evaluation;
    return tile(name, percent(share), `${correct} of ${clips} clips; 95 %: ${interval(accuracyInterval)}`);
  };
  const { macro } = test ?? validation;
  const name = test === undefined ? 'Validation' : 'Test';
  const tested = test === undefined ? 'not tested' : `tested on fold ${testFold ?? 'none'}`;
  return markup`<header>
<h1>${version}</h1>
<p class="quiet">${configuration.network.architecture}, ${configuration.classes.length} classes. Trained on fold
${trainFolds.join(', ')}, ${
    validationFold === null
      ? `${members} networks, each validated on the one of them that it was not trained on`
      : `${members === 1 ? '' : `${members} networks together, `}validated on fold ${validationFold}`
  }, ${tested}. Shown here: epoch ${epoch}, ${evaluations.best === undefined ? 'the last' : 'the best by validation'}.</p>
<div class="tiles">
${test === undefined ? '' : accuracy('Test accuracy', test)}${accuracy('Validation accuracy', validation)}
${tile(`${name} macro F1`, ratio(macro.f1), `macro AUC ${ratio(macro.auc)}`)}</div>
</header>`;
}

import { architectureOf, isMultiLabel } from '../../../shared/contracts/members';
import type { Evaluation } from '../../../shared/contracts/evaluation';
import {
  servedEvaluation,
  type Report,
  type ServedFigures,
  type ServedReport,
} from '../../../shared/contracts/report';
import { calibrationSection } from './calibration-section';
import { interval, percent, ratio } from './markup/format';
import { learningSection } from './learning-section';
import { type Markup, markup, trusted } from './markup/markup';
import { curves, epochSection } from './report-sections';
import { servedSection } from './served-section';
import { style } from './charts/style';
import { intervalRule } from './charts/interval-rule';
import { configurationTable, crossValidationTable, parameterTable, summaryTable } from './tables';

/**
 * A version's report as one HTML file: it has no script, asks no host for anything (its own policy
 * forbids it) and opens from disk. Whatever a user named, class names above all, is escaped.
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
${servedSection(report)}
<h2>Figures</h2>
${summaryTable(evaluations)}
<p class="quiet">The best epoch has the highest validation accuracy (on a tie the lower loss). ${intervalRule(evaluationsOf(evaluations))} ${temperatureRule(report)} Precision, recall, F1 and AUC see one class against the rest over all clips; macro is their mean.</p>
${curves(report)}
${calibration === undefined ? '' : calibrationSection(calibration)}
${best === undefined ? '' : epochSection(`Best epoch: ${best.epoch}`, best)}
${epochSection(`Last epoch: ${evaluations.last.epoch}`, evaluations.last)}
${crossValidation ? markup`<h2>Cross-validation</h2>${crossValidationTable(crossValidation)}` : ''}
${report.learningCurve === undefined ? '' : learningSection(report.learningCurve)}
<h2>Network</h2>
${parameterTable(report.parameterTable)}
<h2>Configuration</h2>
${configurationTable(report)}
</body>
</html>
`.html;
}

/** Returns the evaluations of both epochs on both folds, as far as they were judged. */
function evaluationsOf({ best, last }: Report['evaluations']): Evaluation[] {
  return [best?.test, best?.validation, last.test, last.validation].filter(
    (evaluation) => evaluation !== undefined,
  );
}

/**
 * By which temperature the clips' probabilities were made: a network that answers alone is compared as
 * trained.
 */
function temperatureRule({ evaluations, calibration, configuration }: Report): string {
  const together =
    evaluations.best === undefined && calibration !== undefined && configuration.members.length > 1;
  return together
    ? `The first guess of averaged networks depends on the temperature: here it is the published one, ${calibration.temperature.toFixed(3)}.`
    : 'All of them are at temperature 1, and none is called unknown.';
}

function tile(name: string, figure: string, note: string): Markup {
  return markup`<div class="tile">${name}<b>${figure}</b><span class="quiet">${note}</span></div>\n`;
}

/** What callers get, first guess and answer, with the same intervals as the section below. */
function servedTiles({ validation, test }: ServedReport): Markup {
  const tiles = (fold: string, figures: ServedFigures): Markup => {
    const { clips, correct, accuracyInterval, answered, answeredInterval } = figures;
    const one = (name: string, right: number, within: Evaluation['accuracyInterval']): Markup =>
      tile(
        `${fold}, ${name}`,
        percent(right / clips),
        `${right} of ${clips} clips; 95 %: ${interval(within)}`,
      );
    return markup`${one('first guess', correct, accuracyInterval)}${one('as answered', answered, answeredInterval)}`;
  };
  return markup`${test === undefined ? '' : tiles('Test', test)}${tiles('Validation', validation)}`;
}

function header({ version, configuration, evaluations, served: asServed }: Report): Markup {
  const served = servedEvaluation({ evaluations });
  const { test, validation, epoch } = served;
  const { testFold } = configuration.protocol;
  const accuracy = (name: string, evaluation: Evaluation): Markup => {
    const { accuracy: share, accuracyInterval, correct, clips } = evaluation;
    return tile(name, percent(share), `${correct} of ${clips} clips; 95 %: ${interval(accuracyInterval)}`);
  };
  const { macro } = test ?? validation;
  const name = test === undefined ? 'Validation' : 'Test';
  const tested = test === undefined ? 'not tested' : `tested on fold ${testFold ?? 'none'}`;
  return markup`<header>
<h1>${version}</h1>
<p class="quiet">${architectureOf(configuration)}, ${configuration.classes.length} classes. ${trainingWords(configuration)}, ${tested}. Shown here: epoch ${epoch}, ${evaluations.best === undefined ? 'the last' : 'the best by validation'}.</p>
<div class="tiles">
${
  asServed === undefined
    ? markup`${test === undefined ? '' : accuracy('Test accuracy', test)}${accuracy('Validation accuracy', validation)}`
    : servedTiles(asServed)
}
${tile(`${name} macro F1`, ratio(macro.f1), `macro AUC ${ratio(macro.auc)}`)}</div>
</header>`;
}

/** What of the data made the networks. */
function trainingWords(configuration: Report['configuration']): string {
  const { hyperparameters, protocol, members } = configuration;
  const { validationFold, trainFolds, leaveOneSourceOut } = protocol;
  if (isMultiLabel(configuration) && 'usualThreshold' in hyperparameters) {
    const { classesWithOwn, usualThreshold } = hyperparameters;
    return `Nothing was trained: ${classesWithOwn} classes have thresholds chosen on these clips, the others ${usualThreshold}`;
  }
  if (leaveOneSourceOut) {
    return `Too few recordings of a class for folds: ${members.length} networks, each trained without one source and validated on it (leave-one-source-out)`;
  }
  const trained = `Trained on fold ${trainFolds.join(', ')}`;
  if (validationFold === null) {
    return `${trained}, ${members.length} networks, each validated on the one of them that it was not trained on`;
  }
  const together = members.length === 1 ? '' : `${members.length} networks together, `;
  return `${trained}, ${together}validated on fold ${validationFold}`;
}

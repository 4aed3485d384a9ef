import type { Evaluation } from '../../../shared/contracts/evaluation';
import { servedEvaluation, type EpochEvaluation, type Report } from '../../../shared/contracts/report';
import { confusionChart } from './confusion-chart';
import { curvesChart } from './curves-chart';
import { interval, percent, ratio } from './format';
import { type Markup, markup } from './markup';
import { rocChart } from './roc-chart';
import { classTable } from './tables';

/** Loss and accuracy over the epochs. */
export function curves({ history, evaluations }: Report): Markup {
  const best = servedEvaluation({ evaluations }).epoch;
  return markup`<h2>Training</h2>
<p class="key"><span>training</span><span class="second">validation</span></p>
<div class="pair">
<figure><figcaption>Loss</figcaption>${curvesChart(history, best, {
    title: 'Loss',
    train: (metrics) => metrics.trainLoss,
    validation: (metrics) => metrics.validationLoss,
    format: String,
  })}</figure>
<figure><figcaption>Accuracy</figcaption>${curvesChart(history, best, {
    title: 'Accuracy',
    train: (metrics) => metrics.trainAccuracy,
    validation: (metrics) => metrics.validationAccuracy,
    format: (share) => `${Math.round(share * 100)} %`,
    max: 1,
  })}</figure>
</div>`;
}

/** One epoch's confusion matrices, class tables and ROC curves. */
export function epochSection(title: string, { test, validation }: EpochEvaluation): Markup {
  const matrix = (name: string, evaluation: Evaluation): Markup => markup`<figure>
<figcaption>${name} <span>${percent(evaluation.accuracy)} (${interval(evaluation.accuracyInterval)})</span></figcaption>
${confusionChart(`${title}, ${name}`, evaluation)}</figure>`;
  return markup`<h2>${title}</h2>
<h3>Confusion: rows are true classes, columns predicted ones</h3>
<div class="pair">${test === undefined ? '' : matrix('Test fold', test)}${matrix('Validation fold', validation)}</div>
${test === undefined ? '' : markup`<h3>Classes on the test fold</h3>\n${classTable(test)}`}
<details><summary>Classes on the validation fold</summary>${classTable(validation)}</details>
<h3>ROC: share of the class found, over share of the others taken for it; AUC on ${test === undefined ? '' : 'test / '}validation fold</h3>
<p class="key">${test === undefined ? '' : markup`<span>test fold</span>`}<span class="second dashed">validation fold</span></p>
<div class="small">${validation.perClass.map((scores, index) => {
    const tested = test?.perClass[index];
    const areas = [tested, scores].flatMap((curve) => (curve === undefined ? [] : [ratio(curve.auc)]));
    return markup`<figure><figcaption>${scores.class}<span>AUC ${areas.join(' / ')}</span></figcaption>
${rocChart(tested, scores)}</figure>\n`;
  })}</div>`;
}

import type { Evaluation } from '../../../shared/contracts/evaluation';
import type { EpochEvaluation, Report } from '../../../shared/contracts/report';
import { confusionChart } from './charts/confusion-chart';
import { curvesChart } from './charts/curves-chart';
import { interval, percent, ratio, tickPercent } from './markup/format';
import { below, heading, type HeadingLevel, type Markup, markup } from './markup/markup';
import { rocChart } from './charts/roc-chart';
import { classTable } from './tables';

/** Loss and accuracy over the epochs. */
export function curves({ history, evaluations }: Report, level: HeadingLevel = 2): Markup {
  const best = evaluations.best?.epoch;
  return markup`${heading(level, 'Training')}
<p class="key"><span>training</span><span class="second">validation</span></p>
<div class="pair">
<figure><figcaption>Loss</figcaption>${curvesChart(history, best, {
    title: 'Loss',
    axisTitle: 'cross-entropy, nats',
    train: (metrics) => metrics.trainLoss,
    validation: (metrics) => metrics.validationLoss,
    format: String,
  })}</figure>
<figure><figcaption>Accuracy</figcaption>${curvesChart(history, best, {
    title: 'Accuracy',
    axisTitle: 'clips right',
    train: (metrics) => metrics.trainAccuracy,
    validation: (metrics) => metrics.validationAccuracy,
    format: tickPercent,
    max: 1,
  })}</figure>
</div>`;
}

/** One epoch's confusion matrices, class tables and ROC curves. */
export function epochSection(
  title: string,
  { test, validation }: EpochEvaluation,
  level: HeadingLevel = 2,
): Markup {
  const inner = below(level);
  const matrix = (name: string, evaluation: Evaluation): Markup => markup`<figure>
<figcaption>${name} <span>${percent(evaluation.accuracy)} (${interval(evaluation.accuracyInterval)})</span></figcaption>
${confusionChart(`${title}, ${name}`, evaluation)}</figure>`;
  return markup`${heading(level, title)}
${heading(inner, 'Confusion: rows are true classes, columns predicted ones')}
<div class="pair">${test === undefined ? '' : matrix('Test fold', test)}${matrix('Validation fold', validation)}</div>
${test === undefined ? '' : markup`${heading(inner, 'Classes on the test fold')}\n${classTable(test)}`}
<details><summary>Classes on the validation fold</summary>${classTable(validation)}</details>
${heading(inner, `ROC: share of the class found, over share of the others taken for it; AUC on ${test === undefined ? '' : 'test / '}validation fold`)}
<p class="key">${test === undefined ? '' : markup`<span>test fold</span>`}<span class="second dashed">validation fold</span></p>
<div class="small">${validation.perClass.map((scores, index) => {
    const tested = test?.perClass[index];
    const areas = [tested, scores].flatMap((curve) => (curve === undefined ? [] : [ratio(curve.auc)]));
    return markup`<figure><figcaption>${scores.class}<span>AUC ${areas.join(' / ')}</span></figcaption>
${rocChart(tested, scores)}</figure>\n`;
  })}</div>`;
}

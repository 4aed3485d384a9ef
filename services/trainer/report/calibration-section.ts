import type { CalibrationReport, Reliability, UnknownReport } from '../../../shared/contracts/calibration';
import { percent } from './markup/format';
import { type Markup, markup } from './markup/markup';
import { reliabilityChart } from './charts/reliability-chart';
import { unknownTable } from './tables';

/**
 * Whether the probabilities mean what they say, and what happens to sounds that are none of the classes.
 */
export function calibrationSection(calibration: CalibrationReport): Markup {
  const { temperature, before, after, test, unknown, unknownTest } = calibration;
  const figure = (name: string, figures: Reliability): Markup => markup`<figure>
<figcaption>${name} <span>error ${percent(figures.expectedCalibrationError)}, loss ${figures.loss.toFixed(3)}</span></figcaption>
${reliabilityChart(name, figures)}</figure>`;
  return markup`<h2>Calibration</h2>
<p class="quiet">Logits are divided by ${temperature.toFixed(3)}, fitted on the validation clips. Accuracy over confidence in
ten bins; the error is their mean distance over the clips. On validation it is of the clips that fitted the temperature, and of networks averaged
with other seeds where a version was chosen among several: the section “As served” has the published networks’ own.</p>
<div class="three">${figure('Validation, before', before)}${figure('Validation, after', after)}
${test === undefined ? '' : figure('Test, after', test)}</div>
<h3>Unknown</h3>
<p class="quiet">A window is unknown when its highest probability, times the evidence for its class, is below ${percent(unknown.threshold)};
that lets ${percent(unknown.trueAcceptRate)} of the validation clips pass, and ${percent(unknown.falseAcceptRate)} of sounds that
are none of the classes (AUROC ${unknown.auroc.toFixed(3)}). The threshold was chosen on these clips and, where there are some, the recordings of other
things: of those the figures are flattering.</p>
${unknownTable(unknown)}
${unknownTest === undefined ? '' : testedUnknown(unknownTest)}`;
}

function testedUnknown(unknown: UnknownReport): Markup {
  return markup`<p class="quiet">All networks together, as served, on the test clips: ${percent(unknown.trueAcceptRate)} pass, and
${percent(unknown.falseAcceptRate)} of the other sounds (AUROC ${unknown.auroc.toFixed(3)}).</p>
${unknownTable(unknown)}`;
}

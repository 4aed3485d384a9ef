import { isMultiLabel } from '../../../shared/contracts/members';
import type { Protocol } from '../../../shared/contracts/manifest';
import type { Report, ServedFigures } from '../../../shared/contracts/report';
import { interval, percent } from './markup/format';
import { type Markup, markup } from './markup/markup';
import { groupedTable } from './tables';

/** What callers get, and by which temperature and rule each figure was made. */
export function servedSection({ served, calibration, configuration }: Report): Markup {
  if (served === undefined) return markup``;
  const { validation, test } = served;
  const { members, protocol } = configuration;
  const row = (name: string, figures: ServedFigures): string[] => [
    name,
    `${figures.clips} (${figures.recordings} recordings)`,
    `${percent(figures.correct / figures.clips)} (${interval(figures.accuracyInterval)})`,
    `${percent(figures.answered / figures.clips)} (${interval(figures.answeredInterval)})`,
    percent(figures.passed / figures.clips),
    percent(figures.expectedCalibrationError),
  ];
  const { judges, rule } = isMultiLabel(configuration)
    ? severalAtOnce
    : { judges: judgesWords(members.length, protocol), rule: ruleWords(calibration) };
  return markup`<h2>As served</h2>
${groupedTable(
  [
    { title: '', columns: ['fold'] },
    { title: 'judged', columns: ['clips'] },
    { title: 'right (95 %)', columns: ['first guess', 'as answered'] },
    { title: 'probabilities', columns: ['not called unknown', 'calibration error'] },
  ],
  [row('validation', validation), ...(test === undefined ? [] : [row('test', test)])],
)}
<p class="quiet">As answered, a clip that is called unknown is wrong. ${judges}. ${rule} Intervals are of a bootstrap over
recordings: clips of one recording are right and wrong together.</p>`;
}

const severalAtOnce = {
  judges:
    'A first guess is the likeliest of the classes that these clips are named as; as answered, the clip’s class is among those heard',
  rule: 'The thresholds were chosen on these very clips, which flatters the answers.',
};

function judgesWords(members: number, { validationFold }: Protocol): string {
  return members > 1 && validationFold === null
    ? 'A validation clip is judged by the networks of its own fold alone, which were not trained on it'
    : 'The validation clips chose the epoch where one was chosen, which flatters it a little';
}

function ruleWords(calibration: Report['calibration']): string {
  return calibration === undefined
    ? 'Probabilities are the softmax of the logits (temperature 1), and nothing is called unknown.'
    : 'Validation: with the temperature and the threshold that the other folds’ clips give (where one fold validates, other ' +
        `recordings of it). Test: as served, temperature ${calibration.temperature.toFixed(3)}, unknown below ` +
        `${percent(calibration.unknown.threshold)}, all networks together.`;
}

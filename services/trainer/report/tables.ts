import type { UnknownReport } from '../../../shared/contracts/calibration';
import type { Evaluation } from '../../../shared/contracts/evaluation';
import { distinctNetworks } from '../../../shared/contracts/members';
import type {
  CrossValidation,
  FiguresSpread,
  FoldFigures,
  ParameterTable,
  Report,
} from '../../../shared/contracts/report';
import { grouped, percent, interval, percentSpread, ratio, ratioSpread } from './markup/format';
import { heading, type HeadingLevel, type Markup, markup } from './markup/markup';

type Cell = string | number | Markup;

function table(head: readonly string[], rows: readonly Markup[], foot: Markup | string = ''): Markup {
  return markup`<div class="scroll"><table>
<thead><tr>${head.map((cell) => markup`<th scope="col">${cell}</th>`)}</tr></thead>
<tbody>${rows}</tbody>${foot === '' ? '' : markup`<tfoot>${foot}</tfoot>`}
</table></div>`;
}

/** The first cell names the row. */
function row(name: string, cells: readonly Cell[]): Markup {
  return markup`<tr><th scope="row">${name}</th>${cells.map((cell) => markup`<td>${cell}</td>`)}</tr>\n`;
}

/** Cells as they are; the first of each row names it. */
export function plainTable(head: readonly string[], rows: readonly (readonly string[])[]): Markup {
  return table(
    head,
    rows.map(([name = '', ...cells]) => row(name, cells)),
  );
}

/** Columns under one title. */
export interface ColumnGroup {
  readonly title: string;
  readonly columns: readonly string[];
}

/**
 * Draws a `plainTable` with its columns in groups. An interval in brackets stands in a line of its own.
 */
export function groupedTable(groups: readonly ColumnGroup[], rows: readonly (readonly string[])[]): Markup {
  const [first, ...others] = groups;
  const withSmallInterval = (cell: string): Cell => {
    const bracket = cell.indexOf(' (');
    return bracket < 0
      ? cell
      : markup`${cell.slice(0, bracket)}<small>${cell.slice(bracket + 2).replace(/\)$/, '')}</small>`;
  };
  return markup`<div class="scroll"><table class="grouped">
<thead><tr><th scope="col" rowspan="2">${first!.columns[0]!}</th>${others.map(
    ({ title, columns }) => markup`<th scope="colgroup" colspan="${columns.length}">${title}</th>`,
  )}</tr>
<tr>${others.map(({ columns }) => columns.map((column) => markup`<th scope="col">${column}</th>`))}</tr></thead>
<tbody>${rows.map(([name = '', ...cells]) => row(name, cells.map(withSmallInterval)))}</tbody>
</table></div>`;
}

/** The best and the last epoch side by side. */
export function summaryTable({ best, last }: Report['evaluations']): Markup {
  const cells = (evaluation: Evaluation): string[] => [
    percent(evaluation.accuracy),
    interval(evaluation.accuracyInterval),
    ratio(evaluation.macro.f1),
    ratio(evaluation.macro.auc),
    evaluation.loss.toFixed(3),
  ];
  return table(
    ['fold, epoch', 'accuracy', '95 % interval', 'macro F1', 'macro AUC', 'loss'],
    Object.entries({ best, last }).flatMap(([name, evaluation]) => {
      if (evaluation === undefined) return [];
      const { epoch, test, validation } = evaluation;
      return [
        ...(test === undefined ? [] : [row(`test, ${name} (${epoch})`, cells(test))]),
        row(`validation, ${name} (${epoch})`, cells(validation)),
      ];
    }),
  );
}

export function classTable({ perClass, macro, clips }: Evaluation): Markup {
  return table(
    ['class', 'clips', 'precision', 'recall', 'F1', 'AUC'],
    perClass.map((scores) =>
      row(scores.class, [
        scores.support,
        ratio(scores.precision),
        ratio(scores.recall),
        ratio(scores.f1),
        ratio(scores.auc),
      ]),
    ),
    row('mean', [clips, ratio(macro.precision), ratio(macro.recall), ratio(macro.f1), ratio(macro.auc)]),
  );
}

export function parameterTable({ rows, batchSize, ...totals }: ParameterTable): Markup {
  return table(
    ['layer', `output (batch of ${batchSize})`, 'parameters', 'multiply-adds'],
    rows.map(({ layer, outputShape, parameters, multAdds }) =>
      row(layer, [`[${outputShape.join(', ')}]`, grouped(parameters), grouped(multAdds)]),
    ),
    markup`${row('trainable', ['', grouped(totals.trainable), grouped(totals.multAdds)])}
${row('not trainable', ['', grouped(totals.nonTrainable), ''])}`,
  );
}

export function unknownTable({ kinds }: UnknownReport): Markup {
  return table(
    ['other sounds', 'judged', 'taken for a class'],
    kinds.map(({ kind, sounds, falseAcceptRate }) => row(kind, [sounds, percent(falseAcceptRate)])),
  );
}

export function crossValidationTable(
  { folds, best, last }: CrossValidation,
  level: HeadingLevel = 3,
): Markup {
  const cells = (figures: FoldFigures): string[] => [
    String(figures.epoch),
    percent(figures.validationAccuracy),
    ratio(figures.validationMacroF1),
    figures.testAccuracy === undefined ? '–' : percent(figures.testAccuracy),
    ratio(figures.testMacroF1 ?? null),
  ];
  const rowsOf = (which: 'best' | 'last', summary: FiguresSpread): Markup =>
    table(
      ['validation fold', 'trained on', `${which} epoch`, 'validation accuracy', 'F1', 'test accuracy', 'F1'],
      folds.map((fold) =>
        row(String(fold.validationFold), [
          fold.trainFolds.join(', '),
          ...(fold[which] === undefined ? [] : cells(fold[which])),
        ]),
      ),
      row('mean ± deviation', ['', '', ...spreadCells(summary)]),
    );
  return markup`${best ? markup`${heading(level, 'Best epoch of each fold')}${rowsOf('best', best)}` : ''}${heading(level, 'Last epoch of each fold')}${rowsOf('last', last)}`;
}

function spreadCells(spread: FiguresSpread): string[] {
  return [
    percentSpread(spread.validationAccuracy),
    ratioSpread(spread.validationMacroF1),
    spread.testAccuracy === undefined ? '–' : percentSpread(spread.testAccuracy),
    spread.testMacroF1 === undefined ? '–' : ratioSpread(spread.testMacroF1),
  ];
}

export function configurationTable({ configuration, version, createdAt }: Report): Markup {
  const { hyperparameters, protocol, frontEnds, data, code } = configuration;
  const networks = distinctNetworks(configuration);
  const facts: [string, string | number][] = [
    ['version', version],
    ['made', createdAt],
    ...(networks.length === 1 ? factsOf(networks[0]!) : eachOf('networks', networks)),
    ...factsOf(hyperparameters),
    ['initialisation', configuration.initialisation],
    ['seed', configuration.seed],
    ['test fold', protocol.testFold ?? 'none'],
    [
      'validation fold',
      protocol.leaveOneSourceOut ? 'each source in turn' : (protocol.validationFold ?? 'each in turn'),
    ],
    [
      'training folds',
      protocol.leaveOneSourceOut
        ? `${protocol.trainFolds.length}, a source each`
        : protocol.trainFolds.join(', '),
    ],
    ...(frontEnds.length === 1 ? factsOf(frontEnds[0]) : eachOf('frontEnds', frontEnds)),
    ['input scaling', configuration.inputScaling],
    ['clips', data.clips],
    ['data fingerprint', data.fingerprint],
    ['code', `${code.version} (${code.revision})`],
    ['engine', configuration.engine],
  ];
  return markup`<dl>${facts.map(([name, value]) => markup`<div><dt>${name}</dt><dd>${value}</dd></div>\n`)}</dl>`;
}

/** The settings of one thing, one a row; what has settings of its own is laid out flat. */
function factsOf(settings: object): [string, string | number][] {
  return Object.entries(settings).flatMap(([name, value]: [string, unknown]): [string, string | number][] => {
    if (Array.isArray(value))
      return value.some(isObject) ? eachOf(name, value) : [[inWords(name), value.join(', ')]];
    if (isObject(value)) return factsOf(value);
    if (typeof value === 'boolean') return [[inWords(name), value ? 'yes' : 'no']];
    return [[inWords(name), value as string | number]];
  });
}

/** frontEnds → front end 1: kind, front end 1: sample rate … front end 2: kind */
function eachOf(name: string, values: readonly object[]): [string, string | number][] {
  return values.flatMap((settings, index) =>
    factsOf(settings).map(([fact, value]): [string, string | number] => [
      `${inWords(name).replace(/s$/, '')} ${index + 1}: ${fact}`,
      value,
    ]),
  );
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** learningRate → learning rate */
function inWords(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

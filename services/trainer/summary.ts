import { inputLength } from '../../shared/audio/window-inputs';
import { viewsOf } from '../../shared/contracts/front-end';
import type { Network } from '../../shared/network/network';
import { parameterTable } from './parameter-table';
import { trainingDefaults } from './training-defaults';

const bytesPerFloat = 4;

/** The report's parameter table for a terminal: layers, output shapes, parameters, multiply-adds and sizes. */
export function summarise(network: Network, batchSize: number): string {
  const table = parameterTable(network, batchSize);
  const [view] = viewsOf(trainingDefaults[network.config.architecture].frontEnd);
  const inputs = inputLength(view);
  const cells = [
    ['layer', 'output shape', 'parameters', 'mult-adds'],
    ['input', `[${batchSize}, 1, ${inputs}]`, '', ''],
    ...table.rows.map(({ layer, outputShape, parameters, multAdds }) => [
      layer,
      `[${outputShape.join(', ')}]`,
      parameters === 0 ? '–' : count(parameters),
      multAdds === 0 ? '–' : count(multAdds),
    ]),
  ];
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const line = '─'.repeat(widths.reduce((sum, width) => sum + width + 2, -2));
  const rows = cells.map((row) =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  '),
  );
  const activations = table.rows.reduce(
    (sum, { outputShape }) => sum + outputShape.reduce((a, b) => a * b, 1),
    0,
  );
  return [
    `${network.config.architecture}, batch ${batchSize}`,
    line,
    rows[0]!,
    line,
    ...rows.slice(1),
    line,
    `parameters    ${count(table.trainable + table.nonTrainable)} (trainable ${count(table.trainable)}, non-trainable ${count(table.nonTrainable)})`,
    `mult-adds     ${(table.multAdds / 1e9).toFixed(2)} G`,
    `input         ${megabytes(batchSize * inputs)}`,
    `activations   ${megabytes(activations)} (one forward pass, every output above)`,
    `parameters    ${megabytes(table.trainable + table.nonTrainable)}`,
  ].join('\n');
}

function count(value: number): string {
  return value.toLocaleString('en-GB');
}

function megabytes(floats: number): string {
  return `${((floats * bytesPerFloat) / 1e6).toFixed(2)} MB`;
}

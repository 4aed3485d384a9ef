import { inputLength } from '../../../shared/front-end/window-inputs';
import type { FrontEnd } from '../../../shared/contracts/front-end';
import { architectureOf, encoderOf } from '../../../shared/contracts/members';
import type { Manifest } from '../../../shared/contracts/manifest';
import type { ParameterTable } from '../../../shared/contracts/report';
import type { Network } from '../../../shared/compute/network/network';
import { parameterTable, passSizes } from './parameter-table';

/**
 * The report's parameter table for a terminal: layers, output shapes, parameters and multiply-adds, and
 * below them the report's last lines.
 */
export function summarise(network: Network, frontEnd: FrontEnd, batchSize: number): string {
  const inputs = inputLength(frontEnd);
  const table = parameterTable(network, batchSize);
  const cells = cellsOf(table, inputs);
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const line = '─'.repeat(widths.reduce((sum, width) => sum + width + 2, -2));
  const [head = '', ...rows] = cells.map((row) =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  '),
  );
  return [
    `${network.config.architecture}, batch ${batchSize}`,
    ...[line, head, line, ...rows, line],
    `Total params: ${count(table.trainable + table.nonTrainable)}`,
    `Trainable params: ${count(table.trainable)}`,
    `Non-trainable params: ${count(table.nonTrainable)}`,
    `Total mult-adds (G): ${(table.multAdds / 1e9).toFixed(2)}`,
    line,
    ...sizeLines(network, batchSize, inputs),
    line,
  ].join('\n');
}

function cellsOf({ rows, batchSize }: ParameterTable, inputs: number): string[][] {
  return [
    ['layer', 'output shape', 'parameters', 'mult-adds'],
    ['input', `[${batchSize}, 1, ${inputs}]`, '', ''],
    ...rows.map(({ layer, outputShape, parameters, multAdds }) => [
      layer,
      `[${outputShape.join(', ')}]`,
      parameters === 0 ? '–' : count(parameters),
      multAdds === 0 ? '–' : count(multAdds),
    ]),
  ];
}

function sizeLines(network: Network, batchSize: number, inputs: number): string[] {
  const { input, forwardBackward, parameters, total } = passSizes(network, batchSize, inputs);
  const line = (name: string, bytes: number): string => `${name} (MB): ${(bytes / 1e6).toFixed(2)}`;
  return [
    line('Input size', input),
    line('Forward/backward pass size', forwardBackward),
    line('Params size', parameters),
    line('Estimated Total Size', total),
  ];
}

/** How many of such networks a version in models/ holds, and what stands before them. */
export function describeHolding(manifest: Manifest): string {
  const { version, frontEnds, members, parameters } = manifest;
  const encoder = encoderOf(frontEnds)?.encoder.name;
  return (
    `${version}: ${architectureOf(manifest)}, ${members.length} network${members.length === 1 ? '' : 's'}` +
    `${encoder === undefined ? '' : `, on the encoder ${encoder}`}, ${count(parameters)} parameters`
  );
}

function count(value: number): string {
  return value.toLocaleString('en-GB');
}

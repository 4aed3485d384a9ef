import type { ParameterTable } from '../../shared/contracts/report';
import { elementCount, parameterCount, type Network } from '../../shared/network/network';

/** The report's task 4: a network's layers for one batch size, and their sums. */
export function parameterTable(network: Network, batchSize: number): ParameterTable {
  const rows = network.layers(batchSize).map(({ layer, outputShape, parameters, multiplyAdds }) => ({
    layer,
    outputShape: [...outputShape],
    parameters,
    multAdds: multiplyAdds,
  }));
  const trainable = parameterCount(network);
  const all = network.parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  return {
    batchSize,
    rows,
    trainable,
    nonTrainable: all - trainable,
    multAdds: rows.reduce((sum, row) => sum + row.multAdds, 0),
  };
}

import type { ParameterTable } from '../../../shared/contracts/report';
import { elementCount, parameterCount, type Network } from '../../../shared/compute/network/network';

/** Bytes that a batch takes in Float32, by the report's rules. */
interface PassSizes {
  readonly input: number;
  /** Outputs of the layers that have weights, once forward and once backward. */
  readonly forwardBackward: number;
  readonly parameters: number;
  /** The sum of the three. */
  readonly total: number;
}

const bytesPerFloat = 4;

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

/** @param inputs numbers in one input */
export function passSizes(network: Network, batchSize: number, inputs: number): PassSizes {
  const weightedOutputs = network.layers(batchSize).reduce((sum, layer) => sum + layer.weightedOutputs, 0);
  const sizes = {
    input: bytesPerFloat * batchSize * inputs,
    forwardBackward: 2 * bytesPerFloat * weightedOutputs,
    parameters: bytesPerFloat * parameterCount(network),
  };
  return { ...sizes, total: sizes.input + sizes.forwardBackward + sizes.parameters };
}

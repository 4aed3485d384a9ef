import * as tf from '@tensorflow/tfjs-core';
import { elementCount, type LayerSummary, type Parameter, type Weights } from './network';

export function linearParameters(layer: string, inputs: number, outputs: number): Parameter[] {
  const initialisation = { fanIn: inputs };
  return [
    { name: `${layer}/kernel`, shape: [inputs, outputs], initialisation, trainable: true },
    { name: `${layer}/bias`, shape: [outputs], initialisation, trainable: true },
  ];
}

/** input [N, inputs] · kernel + bias → [N, outputs] */
export function linear(weights: Weights, input: tf.Tensor2D, layer: string): tf.Tensor2D {
  return tf.add(
    tf.matMul(input, weights[`${layer}/kernel`] as tf.Tensor2D),
    weights[`${layer}/bias`] as tf.Tensor1D,
  );
}

export function linearLayer(
  label: string,
  leading: readonly number[],
  inputs: number,
  outputs: number,
): LayerSummary {
  const parameters = inputs * outputs + outputs;
  const outputShape = [...leading, outputs];
  return {
    layer: label,
    outputShape,
    weightedOutputs: elementCount(outputShape),
    parameters,
    // The report's tool counts a linear layer once a row of the batch, whatever the tokens.
    multiplyAdds: leading[0]! * parameters,
  };
}

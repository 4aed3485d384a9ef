import type * as tf from '@tensorflow/tfjs-core';
import type { NetworkConfig } from '../../contracts/architecture';

/**
 * How a parameter starts: uniform in ±1/√fanIn (PyTorch's default for linear and convolution), or a
 * constant.
 */
type Initialisation = { readonly fanIn: number } | { readonly constant: number } | 'standard-normal';

export interface Parameter {
  /** `conv1/kernel`: the layer's name, a slash, the parameter's. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly initialisation: Initialisation;
  /** False for running statistics, which are saved but neither counted nor trained. */
  readonly trainable: boolean;
}

/** Plain values by parameter name. */
export type WeightArrays = Readonly<Record<string, Float32Array>>;

/** Tensors by parameter name. */
export type Weights = Readonly<Record<string, tf.Tensor>>;

/** Present while training. Two steps with equal `seed` drop the same activations. */
export interface TrainingMode {
  readonly seed: number;
  /** Receives new values of running statistics (kept tensors, which the receiver disposes). */
  readonly updateStatistic: (name: string, value: tf.Tensor) => void;
}

/** One row of the report's summary tables. */
export interface LayerSummary {
  readonly layer: string;
  /** The shape, with the batch in front. */
  readonly outputShape: readonly number[];
  readonly parameters: number;
  /**
   * Multiply-adds for the whole batch, counted as the report's tool does (attention's products left
   * out).
   */
  readonly multiplyAdds: number;
  /**
   * Outputs for the whole batch that the report's pass size counts: of a layer that has weights and
   * runs; else 0.
   */
  readonly weightedOutputs: number;
}

/** The figures of a layer that has no weights. */
export const withoutWeights = { parameters: 0, multiplyAdds: 0, weightedOutputs: 0 } as const;

export interface Network {
  readonly config: NetworkConfig;
  readonly classes: number;
  /**
   * Numbers in a row of outputs: the classes' logits, and whatever else a network judges
   * (shared/decision/rejection.ts).
   */
  readonly outputs: number;
  readonly parameters: readonly Parameter[];
  /**
   * @param input [B, inputs], the front end's output
   * @param training absent: inference, no dropout
   * @returns logits [B, classes]
   */
  forward(weights: Weights, input: tf.Tensor2D, training?: TrainingMode): tf.Tensor2D;
  layers(batchSize: number): readonly LayerSummary[];
}

/** Number of trainable parameters. */
export function parameterCount(network: Network): number {
  return network.parameters
    .filter((parameter) => parameter.trainable)
    .reduce((sum, parameter) => sum + elementCount(parameter.shape), 0);
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

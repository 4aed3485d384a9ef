import * as tf from '@tensorflow/tfjs-core';
import { dropout } from './dropout';
import { batchNorm, batchNormParameters, type BatchNormMode } from './batch-norm';
import {
  elementCount,
  withoutWeights,
  type LayerSummary,
  type Parameter,
  type TrainingMode,
  type Weights,
} from './network';

/** Samples in a network's input: 9 frames of 16,000 laid end to end (report, "Data"). */
export const inputSamples = 144_000;
export const frameSamples = 16_000;
/** What the three blocks make of it: [B, 2250, 16]. */
export const trunkOutput = { positions: 2250, channels: 16 } as const;

interface ConvBlock {
  readonly name: string;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: number;
}

/**
 * Report, "Architecture 1": every block has stride 2 and padding 2, then ReLU, max-pool 2, and dropout
 * where there is any.
 */
const blocks: readonly ConvBlock[] = [
  { name: 'conv1', inChannels: 1, outChannels: 64, kernelSize: 7 },
  { name: 'conv2', inChannels: 64, outChannels: 32, kernelSize: 5 },
  { name: 'conv3', inChannels: 32, outChannels: 16, kernelSize: 3 },
];
const stride = 2;
const padding = 2;
const poolSize = 2;

export interface TrunkOptions {
  /** The rate; 0: the trunk has none. */
  readonly dropout: number;
  /** `none`: the transformer's trunk, which has no batch norm at all. */
  readonly batchNorm: BatchNormMode | 'none';
}

export function trunkParameters({ batchNorm: mode }: TrunkOptions): Parameter[] {
  return blocks.flatMap(({ name, inChannels, outChannels, kernelSize }) => {
    const initialisation = { fanIn: inChannels * kernelSize };
    return [
      {
        name: `${name}/kernel`,
        shape: [1, kernelSize, inChannels, outChannels],
        initialisation,
        trainable: true,
      },
      { name: `${name}/bias`, shape: [outChannels], initialisation, trainable: true },
      ...(mode === 'none' ? [] : batchNormParameters(name, outChannels, mode)),
    ];
  });
}

/**
 * The three convolution blocks.
 * @param input [B, 144000]
 * @returns [B, 2250, 16]
 */
export function trunk(
  weights: Weights,
  input: tf.Tensor2D,
  options: TrunkOptions,
  training?: TrainingMode,
): tf.Tensor3D {
  return tf.tidy(() => {
    let hidden = tf.reshape<tf.Rank.R4>(input, [input.shape[0], 1, input.shape[1], 1]);
    for (const block of blocks) hidden = convBlock(weights, hidden, block, options, training);
    return tf.squeeze(hidden, [1]);
  });
}

function convBlock(
  weights: Weights,
  input: tf.Tensor4D,
  { name }: ConvBlock,
  options: TrunkOptions,
  training: TrainingMode | undefined,
): tf.Tensor4D {
  return tf.tidy(() => {
    const kernel = weights[`${name}/kernel`] as tf.Tensor4D;
    const bias = weights[`${name}/bias`] as tf.Tensor1D;
    const padded = tf.pad4d(input, [
      [0, 0],
      [0, 0],
      [padding, padding],
      [0, 0],
    ]);
    const convolved = tf.conv2d(padded, kernel, [1, stride], 'valid');
    const pool = (values: tf.Tensor4D): tf.Tensor4D =>
      tf.maxPool(values, [1, poolSize], [1, poolSize], 'valid');
    if (options.batchNorm === 'applied') {
      const activated = batchNorm(weights, tf.add(convolved, bias), name, { training, relu: true });
      return dropout(pool(activated), options.dropout, training, name);
    }
    // max(relu(x + b)) = relu(max(x) + b), exactly: both are monotone and b is one figure a channel.
    // Pooling first halves the memory that bias and ReLU walk.
    const activated = tf.relu(tf.add(pool(convolved), bias));
    return dropout(activated as tf.Tensor4D, options.dropout, training, name);
  });
}

/** The trunk's rows of the summary table, and the size of its output. */
export function trunkLayers(batchSize: number, options: TrunkOptions): LayerSummary[] {
  let length = inputSamples;
  return blocks.flatMap(({ name, inChannels, outChannels, kernelSize }) => {
    const convolved = Math.floor((length + 2 * padding - kernelSize) / stride) + 1;
    length = Math.floor(convolved / poolSize);
    const weightCount = elementCount([kernelSize, inChannels, outChannels]) + outChannels;
    const convolvedShape = [batchSize, outChannels, convolved];
    const pooledShape = [batchSize, outChannels, length];
    return [
      {
        layer: `${name} ${inChannels}→${outChannels}, kernel ${kernelSize}, stride 2, padding 2; ReLU`,
        outputShape: convolvedShape,
        parameters: weightCount,
        weightedOutputs: elementCount(convolvedShape),
        multiplyAdds: batchSize * convolved * weightCount,
      },
      {
        layer: options.dropout > 0 ? 'max-pool 2; dropout' : 'max-pool 2',
        outputShape: pooledShape,
        ...withoutWeights,
      },
      ...(options.batchNorm === 'none'
        ? []
        : [
            {
              layer: `batch norm (${options.batchNorm})`,
              outputShape: pooledShape,
              parameters: 2 * outChannels,
              multiplyAdds: 0,
              // Where it is only counted it never runs, and so has no output of its own.
              weightedOutputs: options.batchNorm === 'applied' ? elementCount(pooledShape) : 0,
            },
          ]),
    ];
  });
}

import * as tf from '@tensorflow/tfjs-core';
import type { MelConfig } from '../../contracts/architecture';
import { batchNorm, batchNormParameters, foldBatchNorm } from './batch-norm';
import { dropout } from './dropout';
import { linear, linearLayer, linearParameters } from './linear';
import {
  elementCount,
  withoutWeights,
  type InferenceForm,
  type LayerSummary,
  type Network,
  type Parameter,
  type TrainingMode,
  type Weights,
} from './network';

/** Mel bins of a crop; its frames may be any number that leaves one after three poolings. */
const melBins = 64;
/** Of a crop in the summary table, unless it is asked for another. */
const tableFrames = 128;

/** Channels of the first convolutions, and of the one that removes the frequency axis. */
export interface MelSize {
  readonly width: number;
  readonly head: number;
}

const heads = { 12: 64, 24: 256 } as const;

export function melSize({ architecture, width }: Pick<MelConfig, 'architecture' | 'width'>): MelSize {
  const chosen = width ?? (architecture === 'mel-small' ? 12 : 24);
  return { width: chosen, head: heads[chosen] };
}

interface ConvLayer {
  readonly name: string;
  /** Frames × mel bins. */
  readonly kernel: readonly [number, number];
  readonly inChannels: number;
  readonly outChannels: number;
  readonly stride: 1 | 2;
  /** Zeros on each side, in frames and in mel bins. */
  readonly padding: readonly [number, number];
  readonly pooled: boolean;
}

function convLayers({ width, head }: MelSize): ConvLayer[] {
  const plain = (name: string, inChannels: number, outChannels: number, pooled: boolean): ConvLayer => ({
    name,
    kernel: [3, 3],
    inChannels,
    outChannels,
    stride: 1,
    padding: [1, 1],
    pooled,
  });
  return [
    {
      name: 'conv1',
      kernel: [5, 5],
      inChannels: 1,
      outChannels: width,
      stride: 2,
      padding: [2, 2],
      pooled: false,
    },
    plain('conv2', width, width, true),
    plain('conv3', width, 2 * width, false),
    plain('conv4', 2 * width, 2 * width, true),
    plain('conv5', 2 * width, 4 * width, false),
    plain('conv6', 4 * width, 4 * width, true),
    // Four mel bins are left and none is padded: learned weights, not a mean, remove the frequency axis.
    {
      name: 'head',
      kernel: [3, 4],
      inChannels: 4 * width,
      outChannels: head,
      stride: 1,
      padding: [1, 0],
      pooled: false,
    },
  ];
}

/**
 * A convolutional network on log-mel crops: batch norm on each mel bin, seven convolutions with batch
 * norm and ReLU, then mean, maximum and deviation over time, and a linear layer. Input [B, frames × 64],
 * frame after frame.
 */
export function createMel(config: MelConfig, classes: number): Network {
  const outputs = classes + (config.familiarity === true ? 1 : 0);
  return { config, classes, ...melLayers(melSize(config), outputs, config.dropout) };
}

type MelLayers = Omit<Network, 'config' | 'classes'> & { readonly inference: InferenceForm };

/** The same for any number of outputs, whatever they are. */
export function melLayers(size: MelSize, outputs: number, rate: number): MelLayers {
  const layers = convLayers(size);
  const statistics = 3 * size.head;
  const classify = (weights: Weights, maps: tf.Tensor4D, training?: TrainingMode): tf.Tensor2D =>
    linear(weights, dropout(overTime(maps), rate, training, 'statistics'), 'dense');
  return {
    outputs,
    parameters: [
      ...batchNormParameters('input', melBins, 'applied'),
      ...layers.flatMap(convParameters),
      ...linearParameters('dense', statistics, outputs),
    ],
    forward: (weights, input, training) =>
      tf.tidy(() => {
        const size = input.shape[0];
        const columns = tf.reshape<tf.Rank.R4>(input, [size, 1, -1, melBins]);
        const normalised = batchNorm(weights, columns, 'input', { training });
        let maps = tf.reshape<tf.Rank.R4>(normalised, [size, -1, melBins, 1]);
        for (const layer of layers) {
          const kernel = weights[`${layer.name}/kernel`] as tf.Tensor4D;
          const convolved = tf.conv2d(pad(maps, layer), kernel, layer.stride, 'valid');
          maps = pool(batchNorm(weights, convolved, layer.name, { training, relu: true }), layer);
        }
        return classify(weights, maps, training);
      }),
    inference: inferenceForm(layers, linearParameters('dense', statistics, outputs), classify),
    layers: (batchSize, inputs = tableFrames * melBins) =>
      summaries(layers, { batchSize, frames: inputs / melBins }, statistics, outputs),
  };
}

/**
 * Batch norm is an affine map once its statistics stand still: it goes into the convolution before it.
 */
function inferenceForm(
  layers: readonly ConvLayer[],
  dense: readonly Parameter[],
  classify: (weights: Weights, maps: tf.Tensor4D) => tf.Tensor2D,
): InferenceForm {
  return {
    values: (trained) =>
      layers.reduce(
        (values, { name }) => ({ ...values, ...foldBatchNorm(trained, name, `${name}/kernel`) }),
        { ...trained, ...foldBatchNorm(trained, 'input') },
      ),
    parameters: [
      ...['input/factor', 'input/bias'].map((name) => ({ name, shape: [melBins] })),
      ...layers.flatMap(({ name, kernel, inChannels, outChannels }) => [
        { name: `${name}/kernel`, shape: [...kernel, inChannels, outChannels] },
        { name: `${name}/bias`, shape: [outChannels] },
      ]),
      ...dense,
    ],
    forward: (weights, input) =>
      tf.tidy(() => {
        const frames = tf.reshape(input, [input.shape[0], -1, melBins]);
        const normalised = tf.add(tf.mul(frames, weights['input/factor']!), weights['input/bias']!);
        let maps = tf.reshape<tf.Rank.R4>(normalised, [input.shape[0], -1, melBins, 1]);
        for (const layer of layers) {
          const filter = weights[`${layer.name}/kernel`] as tf.Tensor4D;
          const bias = weights[`${layer.name}/bias`]!;
          const x = pad(maps, layer);
          const strides = layer.stride;
          maps = pool(tf.fused.conv2d({ x, filter, strides, pad: 'valid', bias, activation: 'relu' }), layer);
        }
        return classify(weights, maps);
      }),
  };
}

function convParameters({ name, kernel, inChannels, outChannels }: ConvLayer): Parameter[] {
  const shape = [...kernel, inChannels, outChannels];
  const initialisation = { fanIn: elementCount([...kernel, inChannels]) };
  return [
    { name: `${name}/kernel`, shape, initialisation, trainable: true },
    ...batchNormParameters(name, outChannels, 'applied'),
  ];
}

function pad(maps: tf.Tensor4D, { padding: [frames, bins] }: ConvLayer): tf.Tensor4D {
  return tf.pad4d(maps, [
    [0, 0],
    [frames, frames],
    [bins, bins],
    [0, 0],
  ]);
}

function pool(maps: tf.Tensor4D, { pooled }: ConvLayer): tf.Tensor4D {
  return pooled ? tf.maxPool(maps, 2, 2, 'valid') : maps;
}

/**
 * [B, frames, 1, channels] → [B, 3 × channels]: mean, maximum and deviation of each channel over time.
 */
function overTime(maps: tf.Tensor4D): tf.Tensor2D {
  const { mean, variance } = tf.moments(maps, [1, 2]);
  const deviation = tf.sqrt(tf.add(variance, 1e-4));
  return tf.concat([mean, tf.max(maps, [1, 2]), deviation] as tf.Tensor2D[], 1);
}

function summaries(
  layers: readonly ConvLayer[],
  { batchSize, frames: cropFrames }: { readonly batchSize: number; readonly frames: number },
  statistics: number,
  outputs: number,
): LayerSummary[] {
  let [frames, bins] = [cropFrames, melBins];
  const rows: LayerSummary[] = [
    {
      layer: 'batch norm a mel bin',
      outputShape: [batchSize, frames, bins],
      parameters: 2 * bins,
      multiplyAdds: 0,
      weightedOutputs: elementCount([batchSize, frames, bins]),
    },
  ];
  for (const { name, kernel, inChannels, outChannels, stride, padding, pooled } of layers) {
    frames = Math.floor((frames + 2 * padding[0] - kernel[0]) / stride) + 1;
    bins = Math.floor((bins + 2 * padding[1] - kernel[1]) / stride) + 1;
    const weightCount = elementCount([...kernel, inChannels, outChannels]);
    const outputShape = [batchSize, frames, bins, outChannels];
    rows.push({
      layer: `${name} ${inChannels}→${outChannels}, kernel ${kernel.join('×')}, stride ${stride}; batch norm, ReLU`,
      outputShape,
      parameters: weightCount + 2 * outChannels,
      multiplyAdds: batchSize * frames * bins * weightCount,
      // The convolution's and the batch norm's.
      weightedOutputs: 2 * elementCount(outputShape),
    });
    if (!pooled) continue;
    [frames, bins] = [Math.floor(frames / 2), Math.floor(bins / 2)];
    rows.push({
      layer: 'max-pool 2',
      outputShape: [batchSize, frames, bins, outChannels],
      ...withoutWeights,
    });
  }
  return [
    ...rows,
    {
      layer: 'mean, maximum, deviation over time; dropout',
      outputShape: [batchSize, statistics],
      ...withoutWeights,
    },
    linearLayer(`linear ${statistics} → ${outputs}`, [batchSize], statistics, outputs),
  ];
}

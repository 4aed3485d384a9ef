import * as tf from '@tensorflow/tfjs-core';
import { smallBands } from '../../encoder/small-picture';
import { batchNormParameters, foldBatchNorm } from './batch-norm';
import { linear, linearParameters } from './linear';
import { elementCount, type Parameter, type WeightArrays, type Weights } from './network';

/** Channels of the first convolutions, and of the one that removes the frequency axis. */
export interface SmallSize {
  readonly width: number;
  readonly head: number;
}

/**
 * The network as it is when nothing is learnt any more: what is constant then is worked out once. It
 * learns on the native kernels alone.
 */
interface SmallNetwork {
  readonly outputs: number;
  /** As they are learnt and stored. */
  readonly parameters: readonly Parameter[];
  readonly inference: {
    /** Its own weights out of the learnt ones. */
    values(learnt: WeightArrays): WeightArrays;
    readonly parameters: readonly Pick<Parameter, 'name' | 'shape'>[];
    /** @param pictures [B, frames × 64] @returns [B, outputs] */
    forward(weights: Weights, pictures: tf.Tensor2D): tf.Tensor2D;
  };
}

interface ConvLayer {
  readonly name: string;
  /** Frames × bands. */
  readonly kernel: readonly [number, number];
  readonly inChannels: number;
  readonly outChannels: number;
  readonly stride: 1 | 2;
  /** Zeros on each side, in frames and in bands. */
  readonly padding: readonly [number, number];
  readonly pooled: boolean;
}

function convLayers({ width, head }: SmallSize): ConvLayer[] {
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
    // Four bands are left and none is padded: learned weights, not a mean, remove the frequency axis.
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
 * A convolutional network on pictures of 64 bands: batch norm on each band, seven convolutions with batch
 * norm and ReLU, then mean, maximum and deviation over time, and a linear layer. The frames may be any
 * number that leaves one after three poolings.
 */
export function createSmallNetwork(size: SmallSize, outputs: number): SmallNetwork {
  const layers = convLayers(size);
  const dense = linearParameters('dense', 3 * size.head, outputs);
  return {
    outputs,
    parameters: [
      ...batchNormParameters('input', smallBands, 'applied'),
      ...layers.flatMap(convParameters),
      ...dense,
    ],
    inference: inferenceForm(layers, dense),
  };
}

/**
 * Batch norm is an affine map once its statistics stand still: it goes into the convolution before it.
 */
function inferenceForm(layers: readonly ConvLayer[], dense: readonly Parameter[]): SmallNetwork['inference'] {
  return {
    values: (learnt) =>
      layers.reduce((values, { name }) => ({ ...values, ...foldBatchNorm(learnt, name, `${name}/kernel`) }), {
        ...learnt,
        ...foldBatchNorm(learnt, 'input'),
      }),
    parameters: [
      ...['input/factor', 'input/bias'].map((name) => ({ name, shape: [smallBands] })),
      ...layers.flatMap(({ name, kernel, inChannels, outChannels }) => [
        { name: `${name}/kernel`, shape: [...kernel, inChannels, outChannels] },
        { name: `${name}/bias`, shape: [outChannels] },
      ]),
      ...dense,
    ],
    forward: (weights, pictures) =>
      tf.tidy(() => {
        const frames = tf.reshape(pictures, [pictures.shape[0], -1, smallBands]);
        const normalised = tf.add(tf.mul(frames, weights['input/factor']!), weights['input/bias']!);
        let maps = tf.reshape<tf.Rank.R4>(normalised, [pictures.shape[0], -1, smallBands, 1]);
        for (const layer of layers) {
          const filter = weights[`${layer.name}/kernel`] as tf.Tensor4D;
          const bias = weights[`${layer.name}/bias`]!;
          const x = pad(maps, layer);
          const strides = layer.stride;
          maps = pool(tf.fused.conv2d({ x, filter, strides, pad: 'valid', bias, activation: 'relu' }), layer);
        }
        return linear(weights, overTime(maps), 'dense');
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

function pad(maps: tf.Tensor4D, { padding: [frames, bands] }: ConvLayer): tf.Tensor4D {
  return tf.pad4d(maps, [
    [0, 0],
    [frames, frames],
    [bands, bands],
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

import * as tf from '@tensorflow/tfjs-core';
import { encoderBands, mobileBlocks, type Activation, type MobileBlock } from '../../encoder/mobile-net';
import { linear } from './linear';
import type { Weights } from './network';

/**
 * The encoder on TensorFlow.js: what a sound is like.
 * @param weights `encoderParameters`
 * @param pictures [B, frames × 128], the front end's, frame after frame
 * @returns [B, 384 + 527]: the features, then the logits of AudioSet's tags
 */
export function encodePictures(weights: Weights, pictures: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => {
    // [B, frames, bands, 1]: time is the height here; kernels, written as [band, frame], are turned to
    // match.
    const input = tf.reshape<tf.Rank.R4>(pictures, [pictures.shape[0], -1, encoderBands, 1]);
    let maps = activated(convolve(weights, 'stem', input, 2), 'hard-swish');
    for (const block of mobileBlocks) maps = runBlock(weights, maps, block);
    const features = tf.mean<tf.Tensor2D>(
      activated(convolve(weights, 'last', maps, 1), 'hard-swish'),
      [1, 2],
    );
    const hidden = activated(linear(weights, features, 'tagHidden'), 'hard-swish');
    return tf.concat2d([features, linear(weights, hidden, 'tags')], 1);
  });
}

function runBlock(weights: Weights, input: tf.Tensor4D, block: MobileBlock): tf.Tensor4D {
  const { name, inChannels, expanded, kernel, stride, squeezed, activation, residual } = block;
  const expands = expanded !== inChannels;
  const wide = expands ? activated(convolve(weights, `${name}/expand`, input, 1), activation) : input;
  const filter = turned(weights[`${name}/depthwise/kernel`] as tf.Tensor4D);
  const depthwise = tf.depthwiseConv2d(
    padded(wide, (kernel - 1) / 2),
    tf.reshape<tf.Rank.R4>(filter, [kernel, kernel, expanded, 1]),
    stride,
    'valid',
  );
  const biased = tf.add<tf.Tensor4D>(depthwise, weights[`${name}/depthwise/bias`]!);
  const heard = activated(biased, activation);
  const weighed = squeezed === 0 ? heard : tf.mul<tf.Tensor4D>(heard, excitation(weights, name, heard));
  const output = convolve(weights, `${name}/project`, weighed, 1);
  return residual ? tf.add(output, input) : output;
}

/** How much each channel counts, from its mean over the whole map: [B, 1, 1, channels]. */
function excitation(weights: Weights, name: string, maps: tf.Tensor4D): tf.Tensor {
  const means = tf.mean<tf.Tensor2D>(maps, [1, 2]);
  const squeezed = tf.relu(linear(weights, means, `${name}/squeeze`));
  const excited = tf.sigmoid(linear(weights, squeezed, `${name}/excite`));
  return tf.reshape(excited, [maps.shape[0], 1, 1, maps.shape[3]]);
}

/** A plain convolution of 3 × 3 or 1 × 1 with its bias, zeros around the map. */
function convolve(weights: Weights, name: string, input: tf.Tensor4D, stride: 1 | 2): tf.Tensor4D {
  const filter = turned(weights[`${name}/kernel`] as tf.Tensor4D);
  const maps = tf.conv2d(padded(input, (filter.shape[0] - 1) / 2), filter, stride, 'valid');
  return tf.add(maps, weights[`${name}/bias`]!);
}

function turned(kernel: tf.Tensor4D): tf.Tensor4D {
  return kernel.shape[0] === 1 ? kernel : tf.transpose(kernel, [1, 0, 2, 3]);
}

function padded(maps: tf.Tensor4D, zeros: number): tf.Tensor4D {
  if (zeros === 0) return maps;
  return tf.pad4d(maps, [
    [0, 0],
    [zeros, zeros],
    [zeros, zeros],
    [0, 0],
  ]);
}

function activated<T extends tf.Tensor>(maps: T, activation: Activation): T {
  if (activation === 'relu') return tf.relu(maps);
  return tf.mul(maps, tf.div(tf.relu6(tf.add(maps, 3)), 6));
}

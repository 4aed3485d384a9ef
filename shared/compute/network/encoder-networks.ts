import * as tf from '@tensorflow/tfjs-core';
import type { EncoderName } from '../../contracts/front-end';
import { encoderBands, encoderOutputs } from '../../encoder/mobile-net';
import { encoderParameters } from './encoder-weights';
import { encodePictures } from './mobile-net';
import type { Parameter, WeightArrays, Weights } from './network';
import { createSmallNetwork, type SmallSize } from './small-network';

/** The network of an encoder, behind the front end that all encoders have. */
interface EncoderNetwork {
  /** The addon's name for it. */
  readonly native: 'mobile-net' | 'small';
  /** The parameters as stored, in the order in which the kernels take them. */
  readonly parameters: readonly Pick<Parameter, 'name' | 'shape'>[];
  /** The same on TensorFlow.js, with what is constant worked out. */
  readonly inference: {
    values(stored: WeightArrays): WeightArrays;
    readonly parameters: readonly Pick<Parameter, 'name' | 'shape'>[];
    /**
     * @param pictures [B, frames × 128], the front end's, frame after frame
     * @returns [B, 384 + 527]: features, then the logits of AudioSet's tags
     */
    forward(weights: Weights, pictures: tf.Tensor2D): tf.Tensor2D;
  };
}

/** The size of the small encoder's network. */
export const smallEncoderSize: SmallSize = { width: 32, head: 160 };

/**
 * The small encoder's: a plain convolutional network that was taught to answer as the large one does.
 * Input [B, frames × 64], `smallPicture`s; outputs [B, 384 + 527].
 */
export const smallEncoderNetwork = createSmallNetwork(smallEncoderSize, encoderOutputs);

export const encoderNetworks: Readonly<Record<EncoderName, EncoderNetwork>> = {
  mn04_as: {
    native: 'mobile-net',
    parameters: encoderParameters,
    inference: { values: (stored) => stored, parameters: encoderParameters, forward: encodePictures },
  },
  small: {
    native: 'small',
    parameters: smallEncoderNetwork.parameters,
    inference: {
      ...smallEncoderNetwork.inference,
      forward: (weights, pictures) =>
        tf.tidy(() => smallEncoderNetwork.inference.forward(weights, halved(pictures))),
    },
  },
};

/** `smallPicture` of each picture (shared/encoder/small-picture.ts). */
function halved(pictures: tf.Tensor2D): tf.Tensor2D {
  const maps = tf.reshape<tf.Rank.R4>(pictures, [pictures.shape[0], -1, encoderBands, 1]);
  return tf.reshape(tf.avgPool(maps, 2, 2, 'valid'), [pictures.shape[0], -1]);
}

import * as tf from '@tensorflow/tfjs-core';
import type { EncoderHeadConfig } from '../../contracts/architecture';
import { encoderFeatures, encoderOutputs, encoderTags } from '../../encoder/mobile-net';
import { headOutputs } from '../../encoder/head-outputs';
import { linear, linearLayer, linearParameters } from './linear';
import type { Network, WeightArrays } from './network';

/**
 * For each class the index of the AudioSet tag that tells it from the others, kept as a number among the
 * weights.
 */
export const ownTagsName = 'ownTags';

/**
 * A linear layer on a pretrained encoder's features. Input [B, 384 + 527], the encoder's features and
 * tag logits; outputs [B, classes + classes + 527]: the classes' logits, the logits of each class's own
 * tag, and those of all tags.
 */
export function createHead(config: EncoderHeadConfig, classes: number): Network {
  return {
    config,
    classes,
    outputs: headOutputs(classes).length,
    parameters: [
      { name: ownTagsName, shape: [classes], initialisation: { constant: 0 }, trainable: false },
      ...linearParameters('dense', encoderFeatures, classes),
    ],
    forward: (weights, input) =>
      tf.tidy(() => {
        const features = tf.slice2d(input, [0, 0], [-1, encoderFeatures]);
        const tags = tf.slice2d(input, [0, encoderFeatures], [-1, encoderTags]);
        const own = tf.gather(tags, tf.cast(weights[ownTagsName]!, 'int32'), 1);
        return tf.concat2d([linear(weights, features, 'dense'), own, tags], 1);
      }),
    layers: (batchSize) => [
      linearLayer(`linear ${encoderFeatures} → ${classes}`, [batchSize], encoderFeatures, classes),
    ],
  };
}

/**
 * The encoder's own head, on the same input: outputs [B, 527], the logits of AudioSet's classes. It has
 * no weights of its own.
 */
export function createTagHead(config: EncoderHeadConfig): Network {
  return {
    config,
    classes: encoderTags,
    outputs: encoderTags,
    parameters: [],
    forward: (_weights, input) => tf.slice2d(input, [0, encoderFeatures], [-1, encoderTags]),
    layers: () => [],
  };
}

/** What it computes, on plain values. */
export function computeTagHead(inputs: Float32Array, size: number): Float32Array {
  const outputs = new Float32Array(size * encoderTags);
  for (let row = 0; row < size; row++) {
    const start = row * encoderOutputs + encoderFeatures;
    outputs.set(inputs.subarray(start, start + encoderTags), row * encoderTags);
  }
  return outputs;
}

/** A linear layer over features: logits = features · kernel + bias. */
export interface LinearHead {
  /** [features, classes] */
  readonly kernel: Float32Array;
  /** [classes] */
  readonly bias: Float32Array;
}

/** Logits of a row of features, summed in double precision. */
export function headLogits({ kernel, bias }: LinearHead, features: Float32Array): Float32Array {
  const logits = Float64Array.from(bias);
  for (let feature = 0, at = 0; feature < features.length; feature++) {
    for (let c = 0; c < logits.length; c++, at++) logits[c]! += features[feature]! * kernel[at]!;
  }
  return Float32Array.from(logits);
}

/**
 * What `forward` computes, on plain values: too little work for an engine.
 * @param inputs [size, 384 + 527]
 * @returns [size, outputs]
 */
export function computeHead(values: WeightArrays, inputs: Float32Array, size: number): Float32Array {
  const [kernel, bias, ownTags] = [values['dense/kernel']!, values['dense/bias']!, values[ownTagsName]!];
  const classes = bias.length;
  const { tags: tagsAt, length } = headOutputs(classes);
  const outputs = new Float32Array(size * length);
  for (let row = 0; row < size; row++) {
    const input = inputs.subarray(row * encoderOutputs, (row + 1) * encoderOutputs);
    const output = outputs.subarray(row * length, (row + 1) * length);
    output.set(headLogits({ kernel, bias }, input.subarray(0, encoderFeatures)));
    for (let c = 0; c < classes; c++) output[classes + c] = input[encoderFeatures + ownTags[c]!]!;
    output.set(input.subarray(encoderFeatures), tagsAt);
  }
  return outputs;
}

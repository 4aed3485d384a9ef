import type { NetworkConfig } from '../../shared/contracts/architecture';
import type { FrontEnd } from '../../shared/contracts/front-end';
import { encoderFeatures } from '../../shared/encoder/mobile-net';
import { smallPicture } from '../../shared/encoder/small-picture';
import { encoderMinSamples, kaldiMel } from '../../shared/front-end/kaldi-mel';
import { windowInputs } from '../../shared/front-end/window-inputs';
import { ownTagsName } from '../../shared/compute/network/head';
import { cutQuietEnds } from '../../shared/signal/quiet-ends';
import type { WeightArrays } from '../../shared/compute/network/network';
import { referenceEncode } from '../../test/support/reference-encoder-network';
import { referenceLogits } from '../../test/support/reference-network';
import { referenceSmall } from '../../test/support/reference-small';

/**
 * A front end's inputs in double precision, as far as they are rounded to the networks' input; of an encoder
 * its features and tags.
 * @param encoderWeights of the pretrained encoder, where the front end is one
 */
export function referenceInputs(
  window: Float32Array,
  frontEnd: FrontEnd,
  encoderWeights: WeightArrays | undefined,
): ArrayLike<number>[] {
  if (frontEnd.kind !== 'encoder') return windowInputs(window, frontEnd);
  const { sampleRate, quietDbfs } = frontEnd;
  const sound = quietDbfs === undefined ? window : cutQuietEnds(window, sampleRate, quietDbfs);
  // As it is, and without the quiet around its sound where there is any.
  return [...new Set([window, sound])].map((samples) => {
    const heard = new Float32Array(Math.max(samples.length, encoderMinSamples));
    heard.set(samples);
    const picture = kaldiMel(heard);
    if (frontEnd.encoder.name === 'mn04_as') return referenceEncode(encoderWeights!, picture);
    return referenceSmall(encoderWeights!, [smallPicture(picture)])[0]!;
  });
}

/** What a network answers to inputs, in plain loops in double precision. */
export function referenceOutputs(
  config: NetworkConfig,
  weights: WeightArrays,
  inputs: readonly ArrayLike<number>[],
): number[][] {
  switch (config.architecture) {
    case 'encoder':
    case 'small':
      return inputs.map((input) => headOutputs(weights, Array.from(input), config.multiLabel === true));
    default:
      return inputs.map((input) => referenceLogits(config, weights, input));
  }
}

/** The classes' logits, those of their own tags, and those of all tags; of a tag head the last alone. */
function headOutputs(weights: WeightArrays, input: readonly number[], isMultiLabel: boolean): number[] {
  const tags = input.slice(encoderFeatures);
  if (isMultiLabel) return tags;
  const [kernel, bias] = [weights['dense/kernel']!, weights['dense/bias']!];
  const logits = Array.from(bias, (start, label) => {
    let sum = start;
    for (let feature = 0; feature < encoderFeatures; feature++)
      sum += input[feature]! * kernel[feature * bias.length + label]!;
    return sum;
  });
  return [...logits, ...Array.from(weights[ownTagsName]!, (tag) => tags[tag]!), ...tags];
}

import { headLogits, type LinearHead } from '../../../shared/compute/network/head';
import type { ClipFeatures } from './clip-features';
import { fitSoftmaxRegression } from './softmax-regression';

/** What a head needs of a clip. */
export type HeadExample = Pick<ClipFeatures, 'label' | 'features'>;

/**
 * The tolerance for heads that are only compared: their answers differ from the optimum's by less than a
 * clip does.
 */
export const roughTolerance = 0.02;

/**
 * The head on the inputs of these clips, each clip with the same say; a class without any gets no
 * probability to speak of.
 */
export function fitHead(
  clips: readonly HeadExample[],
  classes: number,
  penalty: number,
  gradientTolerance?: number,
): LinearHead {
  return fitSoftmaxRegression({
    features: clips.flatMap(({ features }) => features),
    labels: clips.flatMap(({ label, features }) => features.map(() => label)),
    weights: clips.flatMap(({ features }) => features.map(() => 1 / features.length)),
    classes,
    penalty,
    ...(gradientTolerance === undefined ? {} : { gradientTolerance }),
  });
}

/** Computes the logits of each input of each clip. */
export function logitsOf(head: LinearHead, clips: readonly HeadExample[]): Float32Array[][] {
  return clips.map(({ features }) => features.map((row) => headLogits(head, row)));
}

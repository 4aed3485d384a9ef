import { headLogits, type LinearHead } from '../../../shared/compute/network/head';
import type { ClipFeatures } from './clip-features';
import { fitSoftmaxRegression } from './softmax-regression';

/** What a head needs of a clip. */
export type HeadExample = Pick<ClipFeatures, 'label' | 'features'>;

/** Of heads that are only compared: their answers differ from the optimum's by less than a clip does. */
export const roughTolerance = 0.02;

/** The head on these clips; a class without any gets no probability to speak of. */
export function fitHead(
  clips: readonly HeadExample[],
  classes: number,
  penalty: number,
  gradientTolerance?: number,
): LinearHead {
  return fitSoftmaxRegression({
    features: clips.map(({ features }) => features),
    labels: clips.map(({ label }) => label),
    classes,
    penalty,
    ...(gradientTolerance === undefined ? {} : { gradientTolerance }),
  });
}

/** Each clip's logits. */
export function logitsOf(head: LinearHead, clips: readonly HeadExample[]): Float32Array[] {
  return clips.map(({ features }) => headLogits(head, features));
}

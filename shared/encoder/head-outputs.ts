import { encoderTags } from './mobile-net';

/**
 * Where the parts of a row of outputs of a head on an encoder begin; the logits of the classes are in
 * front.
 */
export interface HeadOutputs {
  /** The logits of the classes' own tags. */
  readonly ownTags: number;
  /** The logits of all tags. */
  readonly tags: number;
  readonly length: number;
}

export function headOutputs(classes: number): HeadOutputs {
  return { ownTags: classes, tags: 2 * classes, length: 2 * classes + encoderTags };
}

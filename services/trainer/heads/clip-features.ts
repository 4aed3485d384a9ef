import type { EncoderFrontEnd } from '../../../shared/contracts/front-end';
import { encoderFeatures } from '../../../shared/encoder/mobile-net';
import type { LoadedEngine } from '../../../shared/compute/provide/load-engine';
import type { LabelledClip } from '../data/dataset';
import { inputsOf } from '../optimise/predict';

/**
 * What heads are fitted to and judged by: a clip after the encoder, which hears one with quiet around
 * its sound twice, the whole first (shared/compute/inference/front-end-inputs.ts).
 */
export interface ClipFeatures extends Pick<LabelledClip, 'label' | 'fold' | 'source'> {
  /** The features of each input, [384]. */
  readonly features: readonly Float32Array[];
  /** The logits of AudioSet's tags of each input, [527]. */
  readonly tagLogits: readonly Float32Array[];
}

/**
 * The encoder is fixed, and a process trains on one: heads of many folds and draws share what it made of
 * a clip.
 */
const computed = new WeakMap<LabelledClip, ClipFeatures>();

/** Features and tags of clips, each computed once for all heads that are fitted to it. */
export function clipFeatures(
  clips: readonly LabelledClip[],
  frontEnd: EncoderFrontEnd,
  engine: LoadedEngine,
): ClipFeatures[] {
  const missing = clips.filter((clip) => !computed.has(clip));
  inputsOf(missing, frontEnd, engine).forEach((inputs, index) => {
    const { label, fold, source } = missing[index]!;
    // In each input the features are in front of the tags' logits.
    computed.set(missing[index]!, {
      label,
      fold,
      source,
      features: inputs.map((input) => input.subarray(0, encoderFeatures)),
      tagLogits: inputs.map((input) => input.subarray(encoderFeatures)),
    });
  });
  return clips.map((clip) => computed.get(clip)!);
}

import { goldenClips } from '../../shared/audio/golden-clips';
import type { FrontEnd } from '../../shared/contracts/front-end';
import type { Golden } from '../../shared/contracts/lifecycle';
import { meanProbabilities } from '../../shared/decision/mean-probabilities';
import type { Scorer } from '../../shared/engine/scorer';
import { answersOf, examplesOf } from './predict';

/**
 * What a version's networks answer to the golden clips, computed as their evaluation is.
 * @param scorers of every member, with the weights as they will be served
 */
export function goldenOf(
  scorers: readonly Scorer[],
  { frontEnd, classes }: { readonly frontEnd: FrontEnd; readonly classes: readonly string[] },
  temperature: number | undefined,
  engine: string,
): Golden {
  const clips = goldenClips(frontEnd.sampleRate, frontEnd.windowSeconds);
  const examples = examplesOf(
    clips.map(({ samples }) => ({ label: 0, samples })),
    frontEnd,
  );
  const { logits, familiarity } = answersOf(scorers, examples, classes.length);
  return {
    formatVersion: 1,
    engine,
    clips: clips.map(({ name }, clip) => ({
      clip: name,
      probabilities: [...meanProbabilities(logits[clip]!, temperature)],
      familiarity: familiarity[clip]!,
    })),
  };
}

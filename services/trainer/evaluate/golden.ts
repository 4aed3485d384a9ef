import { goldenClips } from '../../../shared/front-end/golden-clips';
import type { Golden } from '../../../shared/contracts/lifecycle';
import type { LoadedEngine } from '../../../shared/compute/provide/load-engine';
import { windowFormat, type FrontEnds } from '../../../shared/contracts/members';
import { independentProbabilities } from '../../../shared/decision/independent-probabilities';
import { meanProbabilities } from '../../../shared/decision/mean-probabilities';
import { answersOf, examplesOf, type MemberScorer } from '../optimise/predict';

/** What clips are judged with. */
interface Judging {
  readonly frontEnds: FrontEnds;
  readonly classes: readonly string[];
  readonly engine: LoadedEngine;
}

/**
 * What a version's networks answer to the golden clips, computed as their evaluation is.
 * @param members all, with the weights as they will be served
 * @param temperature `independent`: classes do not exclude each other
 */
export function goldenOf(
  members: readonly MemberScorer[],
  { frontEnds, classes, engine: computed }: Judging,
  temperature: number | 'independent' | undefined,
  engine: string,
): Golden {
  const { sampleRate, windowSeconds } = windowFormat({ frontEnds });
  const clips = goldenClips(sampleRate, windowSeconds);
  const examples = examplesOf(
    clips.map(({ samples }) => ({ label: 0, samples })),
    frontEnds,
    computed,
  );
  const { logits, evidence } = answersOf(members, examples, classes.length);
  return {
    formatVersion: 1,
    engine,
    clips: clips.map(({ name }, clip) => {
      const rows = logits[clip]!;
      const probabilities =
        temperature === 'independent' ? independentProbabilities(rows) : meanProbabilities(rows, temperature);
      const nearest = probabilities.indexOf(Math.max(...probabilities));
      return {
        clip: name,
        probabilities: [...probabilities],
        evidence: evidence[clip]?.[nearest] ?? 1,
      };
    }),
  };
}

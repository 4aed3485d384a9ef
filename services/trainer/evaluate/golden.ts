import { goldenClips } from '../../../shared/front-end/golden-clips';
import type { Golden } from '../../../shared/contracts/lifecycle';
import type { LoadedEngine } from '../../../shared/compute/provide/load-engine';
import type { FrontEnd } from '../../../shared/contracts/front-end';
import { independentProbabilities } from '../../../shared/decision/independent-probabilities';
import { meanProbabilities } from '../../../shared/decision/mean-probabilities';
import type { Scorer } from '../../../shared/compute/inference/scorer';
import { answersOf, examplesOf } from '../optimise/predict';

/** What clips are judged with. */
interface Judging {
  readonly frontEnd: FrontEnd;
  readonly classes: readonly string[];
  readonly engine: LoadedEngine;
}

/**
 * What a version's networks answer to the golden clips, computed as their evaluation is.
 * @param scorers of every member, with the weights as they will be served
 * @param temperature `independent`: classes do not exclude each other
 */
export function goldenOf(
  scorers: readonly Scorer[],
  { frontEnd, classes, engine: computed }: Judging,
  temperature: number | 'independent' | undefined,
  engine: string,
): Golden {
  const clips = goldenClips(frontEnd.sampleRate, frontEnd.windowSeconds);
  const examples = examplesOf(
    clips.map(({ samples }) => ({ label: 0, samples })),
    frontEnd,
    computed,
  );
  const { logits, evidence } = answersOf(scorers, examples, classes.length);
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
        familiarity: evidence[clip]?.[nearest] ?? 1,
      };
    }),
  };
}

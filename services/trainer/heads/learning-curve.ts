import type { LearningPoint } from '../../../shared/contracts/report';
import { meanProbabilities } from '../../../shared/decision/mean-probabilities';
import { spread } from '../../../shared/metrics/spread';
import { deriveSeed, permutation } from '../../../shared/runtime/random';
import type { JudgedClip } from './choose-penalty';
import { fitHead, logitsOf, roughTolerance, type HeadExample } from './fit-head';

/** Recordings a class that heads are fitted to, as far as there are so many. */
const counts = [1, 2, 3, 5, 10] as const;
const draws = 10;

interface LearningOptions {
  /**
   * Clips to draw from and clips to judge by; several: each is judged, and the figures are of all clips
   * judged.
   */
  readonly splits: readonly {
    readonly training: readonly JudgedClip[];
    readonly judged: readonly HeadExample[];
  }[];
  readonly classes: number;
  readonly penalty: number;
  readonly seed: number;
}

/**
 * Accuracy after training on a few recordings a class, one clip of each: mean and deviation over seeded
 * draws.
 */
export function learningPoints({ splits, classes, penalty, seed }: LearningOptions): LearningPoint[] {
  const fewest = Math.min(...splits.map(({ training }) => fewestSources(training, classes)));
  const accuracyOf = (recordings: number, draw: number): number => {
    const right = splits.flatMap(({ training, judged }, split) => {
      const drawn = drawClips(training, recordings, deriveSeed(seed, 'learning curve', draw, split));
      const head = fitHead(drawn, classes, penalty, roughTolerance);
      return logitsOf(head, judged).map((rows, clip) => {
        const probabilities = meanProbabilities(rows);
        return probabilities.indexOf(Math.max(...probabilities)) === judged[clip]!.label;
      });
    });
    return right.filter(Boolean).length / right.length;
  };
  return counts
    .filter((count) => count <= fewest)
    .map((recordings) => ({
      recordings,
      draws,
      accuracy: spread(Array.from({ length: draws }, (_, draw) => accuracyOf(recordings, draw))),
    }));
}

function fewestSources(clips: readonly JudgedClip[], classes: number): number {
  const sources = Array.from({ length: classes }, () => new Set<string>());
  for (const { label, source } of clips) sources[label]!.add(source);
  return Math.min(...sources.map(({ size }) => size));
}

/** Draws so many clips of each class, of different sources. */
function drawClips(clips: readonly JudgedClip[], recordings: number, seed: number): JudgedClip[] {
  const drawn = new Map<number, Map<string, JudgedClip>>();
  for (const index of permutation(clips.length, seed)) {
    const clip = clips[index]!;
    const ofClass = drawn.get(clip.label) ?? new Map<string, JudgedClip>();
    drawn.set(clip.label, ofClass);
    if (ofClass.size < recordings && !ofClass.has(clip.source)) ofClass.set(clip.source, clip);
  }
  return [...drawn.values()].flatMap((ofClass) => [...ofClass.values()]);
}

import { wilsonInterval } from './wilson-interval';

/** What came of the clips of one recording. */
export interface RecordingScore {
  readonly clips: number;
  readonly correct: number;
}

const resamples = 10_000;

/**
 * A 95 % interval of the share of clips that are right, by percentiles of a bootstrap over recordings: clips of one recording are
 * right and wrong together, so the recordings are drawn anew, not the clips. Equal scores give equal intervals. Where every
 * recording has the same share nothing varies, and Wilson's interval of as many recordings takes its place.
 * @throws RangeError when there are none
 */
export function recordingsInterval(scores: readonly RecordingScore[]): { lower: number; upper: number } {
  if (scores.length === 0) throw new RangeError('expected at least one recording, got none');
  const shares = scores.map(({ clips, correct }) => correct / clips);
  if (shares.every((share) => share === shares[0])) {
    return wilsonInterval(shares[0]! * scores.length, scores.length);
  }
  const uniform = createMultiplicative();
  const drawn = Array.from({ length: resamples }, () => {
    let [clips, correct] = [0, 0];
    for (let draw = 0; draw < scores.length; draw++) {
      const score = scores[Math.floor(uniform() * scores.length)]!;
      clips += score.clips;
      correct += score.correct;
    }
    return correct / clips;
  }).sort((a, b) => a - b);
  return { lower: drawn[Math.floor(0.025 * resamples)]!, upper: drawn[Math.ceil(0.975 * resamples) - 1]! };
}

/** Clips grouped by their recording, in the order of first appearance. */
export function scoresByRecording(
  recordings: readonly string[],
  isCorrect: readonly boolean[],
): RecordingScore[] {
  const scores = new Map<string, { clips: number; correct: number }>();
  recordings.forEach((recording, clip) => {
    const score = scores.get(recording) ?? { clips: 0, correct: 0 };
    score.clips += 1;
    if (isCorrect[clip]) score.correct += 1;
    scores.set(recording, score);
  });
  return [...scores.values()];
}

/** Park and Miller's generator (CACM 31, 1988) from a fixed start: numbers in (0, 1). */
function createMultiplicative(): () => number {
  const modulus = 2 ** 31 - 1;
  let state = 1;
  return () => {
    state = (state * 48_271) % modulus;
    return state / modulus;
  };
}

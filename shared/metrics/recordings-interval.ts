import { wilsonInterval } from './wilson-interval';

/** The results of the clips of one recording. */
export interface RecordingScore {
  readonly clips: number;
  readonly correct: number;
}

const resamples = 10_000;

/**
 * Returns a 95 % interval of the share of correct clips, by percentiles of a bootstrap over recordings.
 * Recordings are resampled and not clips, because the clips of one recording are correlated. Equal
 * scores give equal intervals. Where every recording has the same share, Wilson's interval for that
 * number of recordings is used instead.
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

/** Groups clips by their recording, in the order of first appearance. */
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

/** Park and Miller's generator (CACM 31, 1988) with a fixed seed: numbers in (0, 1). */
function createMultiplicative(): () => number {
  const modulus = 2 ** 31 - 1;
  let state = 1;
  return () => {
    state = (state * 48_271) % modulus;
    return state / modulus;
  };
}

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
  return bootstrapRatio(scores.map(({ clips, correct }) => ({ count: correct, size: clips })));
}

/** What was counted in one recording, and the clips, events or hours that it was counted in. */
export interface RecordingCount {
  readonly count: number;
  /** Above 0. */
  readonly size: number;
}

/** −ln 0.025: the largest expected count with which none at all is still seen in 2.5 % of cases. */
const unseenCount = 3.689;

/**
 * Returns a 95 % interval of a rate, the total count divided by the total size, by percentiles of a
 * bootstrap over recordings. Where nothing was counted it is the exact one of a Poisson count.
 * @throws RangeError when there are no recordings
 */
export function rateInterval(counts: readonly RecordingCount[]): { lower: number; upper: number } {
  if (counts.length === 0) throw new RangeError('expected at least one recording, got none');
  if (counts.some(({ count }) => count > 0)) return bootstrapRatio(counts);
  return { lower: 0, upper: unseenCount / counts.reduce((sum, { size }) => sum + size, 0) };
}

function bootstrapRatio(counts: readonly RecordingCount[]): { lower: number; upper: number } {
  const uniform = createMultiplicative();
  const drawn = Array.from({ length: resamples }, () => {
    let [all, sum] = [0, 0];
    for (let draw = 0; draw < counts.length; draw++) {
      const { count, size } = counts[Math.floor(uniform() * counts.length)]!;
      all += size;
      sum += count;
    }
    return sum / all;
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

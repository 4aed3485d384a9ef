import { AppError } from '../../errors/app-error';

/**
 * Duration of the steps of decoding in nanoseconds on one core, rounded up from measurements and the
 * same for all codecs. They serve to detect excessive work and are not estimates of the decoding time.
 */
export const workNs = {
  /** A sample of one channel, decoded and mixed. */
  sample: 7,
  /** A sample of the mono mix, checked and resampled. */
  mixedSample: 8,
  /** One multiplication of a predictor. */
  product: 0.6,
  /** A chunk of samples of any length. */
  piece: 8_000,
  /** Setting up a decoder. */
  stream: 6e6,
  /** An entry of a Vorbis codebook, or one number of its vector. */
  codebookEntry: 300,
  codebookValue: 20,
  /** Designing a resampling filter. */
  filter: 50e6,
} as const;

/**
 * Allowance per recording and per byte. Ten minutes of audio at 48 kHz in the most compact codec take
 * 1.5 s with two channels and 2 s with eight. A byte adds a generous amount for audio that is costly to
 * decode.
 */
const allowanceNs = { base: 2.5e9, byte: 120 };
/** The length that the allowance per recording is for; it grows with a longer one. */
const usualSeconds = 600;
/** Allowed number of chained streams. Ten seconds of speech are about 20 kB. */
const streams = { base: 30, perByte: 1 / 8192 };

/** Limits the work of decoding one recording. */
export interface WorkBudget {
  /**
   * Adds work.
   * @throws AppError undecodable-audio when the budget is used up
   */
  readonly spend: (nanoseconds: number) => void;
  /**
   * Counts another stream of the recording.
   * @throws AppError undecodable-audio when there are too many
   */
  beginStream(): void;
}

/**
 * @param bytes size of the recording; a larger recording gets a larger budget
 * @param maxSeconds longest recording that is taken; above ten minutes the budget grows with it
 */
export function createWorkBudget(bytes: number, maxSeconds = usualSeconds): WorkBudget {
  const lengths = Math.max(1, maxSeconds / usualSeconds);
  let leftNs = allowanceNs.base * lengths + bytes * allowanceNs.byte;
  let leftStreams = Math.floor(streams.base + bytes * streams.perByte);
  const spend = (nanoseconds: number): void => {
    leftNs -= nanoseconds;
    if (leftNs >= 0) return;
    throw new AppError(
      'undecodable-audio',
      'Decoding the recording takes far more work than its length and size explain; export it again as mono at 48 kHz or less, or send a part of it.',
    );
  };
  return {
    spend,
    beginStream() {
      leftStreams -= 1;
      if (leftStreams < 0) {
        throw new AppError(
          'undecodable-audio',
          'The recording is made of too many streams, one behind the other, for its size; export it again as one.',
        );
      }
      spend(workNs.stream);
    },
  };
}

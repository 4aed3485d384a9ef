import { AppError } from '../../errors/app-error';

/**
 * What the steps of decoding take, in nanoseconds of one core: rounded up from what was measured, and for every codec alike. They tell
 * what is out of all proportion, not what a recording takes.
 */
export const workNs = {
  /** A sample of a channel, decoded and mixed. */
  sample: 7,
  /** A sample of the mix, checked and resampled. */
  mixedSample: 8,
  /** One product of a predictor. */
  product: 0.6,
  /** A piece of sound, however short. */
  piece: 8_000,
  /** A decoder that is set up. */
  stream: 6e6,
  /** An entry of a Vorbis codebook, and a number of its vector. */
  codebookEntry: 300,
  codebookValue: 20,
  /** A filter between two rates that is designed. */
  filter: 50e6,
} as const;

/**
 * Ten minutes of two channels at 48 kHz in the densest codec take 1.5 s, ten of eight channels 2 s, whatever their bytes: silence takes
 * hardly any. What a byte adds is generous for sound that is hard to decode.
 */
const allowanceNs = { base: 2.5e9, byte: 120 };
/** Streams of a chain: ten seconds of speech are 20 kB. */
const streams = { base: 30, perByte: 1 / 8192 };

/** What the decoding of a recording may cost. */
export interface WorkBudget {
  /** @throws AppError undecodable-audio when it is used up */
  readonly spend: (nanoseconds: number) => void;
  /** Another stream of the recording. @throws AppError undecodable-audio when there are too many */
  beginStream(): void;
}

/** @param bytes of the recording: who sends more may have more done */
export function createWorkBudget(bytes: number): WorkBudget {
  let leftNs = allowanceNs.base + bytes * allowanceNs.byte;
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

import { z } from 'zod';

const common = {
  /** Hz of the mono signal that the network is given. */
  sampleRate: z.int().positive(),
  /** Length of one window, in seconds: what is judged at once. */
  windowSeconds: z.number().positive(),
  /**
   * Whether a constant offset of the microphone is taken away before. Unless stated: not from a
   * waveform, which the report's networks take as it is; from all others.
   */
  removeOffset: z.boolean().optional(),
};

/**
 * The waveform itself, in overlapping frames laid end to end; a shorter window is padded with zeros at
 * its end.
 */
const framesFrontEndSchema = z.strictObject({
  kind: z.literal('frames'),
  ...common,
  frameSeconds: z.number().positive(),
  hopSeconds: z.number().positive(),
});
export type FramesFrontEnd = z.infer<typeof framesFrontEndSchema>;

/**
 * Crops of a log-mel spectrogram, judged one by one and averaged. A crop that is longer than its window
 * goes round: after the last frame comes the first.
 */
const logMelFrontEndSchema = z.strictObject({
  kind: z.literal('log-mel'),
  ...common,
  /**
   * Samples in one analysis frame (a power of two): a periodic Hann window, centred, zeros beyond the
   * ends.
   */
  fftSamples: z.int().min(16).max(65_536),
  hopSamples: z.int().positive(),
  /** Triangles on the HTK mel scale between the two edges, each of unit area in Hz. */
  melBins: z.int().min(2).max(512),
  lowestHz: z.number().min(0),
  highestHz: z.number().positive(),
  /** What is this much below a crop's loudest cell counts as that much below. */
  rangeDecibels: z.number().positive(),
  /** Frames in a crop. */
  cropFrames: z.int().positive(),
  /** Crops of a window, evenly spread. */
  crops: z.int().min(1).max(64),
  /** A crop whose loudest frame is this much below the window's loudest is not judged. */
  silenceDecibels: z.number().positive(),
});
export type LogMelFrontEnd = z.infer<typeof logMelFrontEndSchema>;

/**
 * An encoder: what a window is like, in features that a head is fitted on, and how AudioSet's tags apply
 * to it. The encoder is not part of a version: its file is named by its content. A shorter window is
 * judged as it is.
 */
const encoderFrontEndSchema = z.strictObject({
  kind: z.literal('encoder'),
  ...common,
  /**
   * dBFS: a window with quiet below this before or behind its sound is heard twice, whole and as the
   * sound alone (shared/signal/quiet-ends.ts), and the mean counts. Absent: whole only.
   */
  quietDbfs: z.number().max(0).optional(),
  encoder: z.strictObject({
    /** EfficientAT's, or the small one that it taught (services/trainer/distil). */
    name: z.enum(['mn04_as', 'small']),
    /** Of the file that holds its weights. */
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  }),
});
export type EncoderFrontEnd = z.infer<typeof encoderFrontEndSchema>;
export type EncoderName = EncoderFrontEnd['encoder']['name'];

/**
 * How a window becomes a network's inputs. It belongs to the checkpoint: whoever decodes, windows or
 * resamples for a model takes the figures from here.
 */
export const frontEndSchema = z.discriminatedUnion('kind', [
  framesFrontEndSchema,
  logMelFrontEndSchema,
  encoderFrontEndSchema,
]);
export type FrontEnd = z.infer<typeof frontEndSchema>;

/** Whether a constant offset of the microphone is taken away before the front end. */
export function removesOffset({ kind, removeOffset }: FrontEnd): boolean {
  return removeOffset ?? kind !== 'frames';
}

/** The report's front end: 9 frames of 16,000 samples from 5 s at 16 kHz, hop 0.5 s (report, "Data"). */
export const reportFrontEnd: FramesFrontEnd = {
  kind: 'frames',
  sampleRate: 16_000,
  windowSeconds: 5,
  frameSeconds: 1,
  hopSeconds: 0.5,
};

/**
 * `mel-small`'s: 251 frames of 46 ms every 20 ms, 64 mel bins up to 11 kHz, judged in three crops of
 * 2.56 s.
 */
export const melFrontEnd: LogMelFrontEnd = {
  kind: 'log-mel',
  sampleRate: 44_100,
  windowSeconds: 5,
  fftSamples: 2048,
  hopSamples: 882,
  melBins: 64,
  lowestHz: 40,
  highestHz: 11_025,
  rangeDecibels: 80,
  cropFrames: 128,
  crops: 3,
  silenceDecibels: 25,
};

/**
 * `mel`'s: the tones of an instrument, a voice or a rotor in frames of 93 ms every 20 ms; crackling,
 * drops and strokes in frames of 12 ms every 5 ms, three crops of 1.28 s. What a short analysis frame
 * shows, a long one blurs, and the other way round (docs/experiments.md has what else was tried).
 */
export const melFrontEnds: readonly [LogMelFrontEnd, LogMelFrontEnd] = [
  { ...melFrontEnd, fftSamples: 4096 },
  { ...melFrontEnd, fftSamples: 512, hopSamples: 220, lowestHz: 60, cropFrames: 256 },
];

/** EfficientAT's mn04_as at 32 kHz (shared/encoder/mobile-net.ts), which hears 5 s at once here. */
export const encoderFrontEnd: EncoderFrontEnd = {
  kind: 'encoder',
  sampleRate: 32_000,
  windowSeconds: 5,
  quietDbfs: -60,
  encoder: {
    name: 'mn04_as',
    sha256: '899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c',
  },
};

/** The small encoder of this package, in models/encoders; it hears what the large one hears. */
export const smallFrontEnd: EncoderFrontEnd = {
  ...encoderFrontEnd,
  encoder: { name: 'small', sha256: '5858f4dee649f1cd96024b2e60cc9f5eb978262522e0b2a17ee7806dac228675' },
};

/** Samples in one window at the front end's sample rate. */
export function windowSamples(frontEnd: Pick<FrontEnd, 'sampleRate' | 'windowSeconds'>): number {
  return Math.round(frontEnd.sampleRate * frontEnd.windowSeconds);
}

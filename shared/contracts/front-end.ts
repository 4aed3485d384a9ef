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
    /** The sha256 of the file that holds its weights. */
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  }),
});
export type EncoderFrontEnd = z.infer<typeof encoderFrontEndSchema>;
export type EncoderName = EncoderFrontEnd['encoder']['name'];

/**
 * How a window becomes a network's inputs. It belongs to the checkpoint: whoever decodes, windows or
 * resamples for a model takes the figures from here.
 */
export const frontEndSchema = z.discriminatedUnion('kind', [framesFrontEndSchema, encoderFrontEndSchema]);
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

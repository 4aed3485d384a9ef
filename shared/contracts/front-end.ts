import { z } from 'zod';

/**
 * How sound becomes a network's input. It belongs to the checkpoint: whoever decodes, windows or
 * resamples for a model takes the figures from here.
 */
export const frontEndSchema = z.strictObject({
  kind: z.literal('frames'),
  /** Hz of the mono signal that the network is given. */
  sampleRate: z.int().positive(),
  /** Length of one window, in seconds; a shorter clip is padded with zeros at its end. */
  windowSeconds: z.number().positive(),
  frameSeconds: z.number().positive(),
  hopSeconds: z.number().positive(),
});

export type FrontEnd = z.infer<typeof frontEndSchema>;

/** The report's front end: 9 frames of 16,000 samples from 5 s at 16 kHz, hop 0.5 s (report, "Data"). */
export const reportFrontEnd: FrontEnd = {
  kind: 'frames',
  sampleRate: 16_000,
  windowSeconds: 5,
  frameSeconds: 1,
  hopSeconds: 0.5,
};

/** Samples in one window at the front end's sample rate. */
export function windowSamples(frontEnd: FrontEnd): number {
  return Math.round(frontEnd.sampleRate * frontEnd.windowSeconds);
}

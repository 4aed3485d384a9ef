import { z } from 'zod';

const probability = z.number().min(0).max(1);

/**
 * What is done to a training crop, all of it on mel power, so that no transform is computed while
 * training.
 */
export const augmentationSchema = z.strictObject({
  /** Playback speeds, each equally likely. */
  speeds: z.array(z.number().positive()).min(1),
  /**
   * Share of crops that are mixed with another of the batch, their labels with them (between-class
   * learning).
   */
  mixing: probability,
  /**
   * Share of crops that are made sounds of no class, to be found equally like each of them; absent:
   * none.
   */
  others: probability.optional(),
  /** Share of crops that are heard in a room: a decay in time. */
  reverberation: probability,
  /** Share of crops with noise under them, and its range of levels under the crop's loudest frame. */
  noise: probability,
  noiseDecibels: z.tuple([z.number(), z.number()]),
  /**
   * Share of crops that are cut off above a frequency, as a narrow-band microphone or codec does, and
   * its range.
   */
  bandLimit: probability,
  bandLimitHz: z.tuple([z.number().positive(), z.number().positive()]),
  /** Largest boost or cut of the random equaliser. */
  equaliserDecibels: z.number().min(0),
  /** Masks over mel bins: how many, and the largest width in bins. */
  masks: z.int().min(0),
  maskBins: z.int().min(0),
});
export type Augmentation = z.infer<typeof augmentationSchema>;

import { z } from 'zod';

const ratio = z.number().min(0).max(1);

/**
 * What makes a version's probabilities mean what they say, and what lets it say that it does not know.
 */
export const calibrationSchema = z.strictObject({
  /** Divides the logits. */
  temperature: z.number().positive(),
  /**
   * A window whose highest probability, times the evidence for its class where that is judged, is below
   * this is `unknown`.
   */
  unknownBelow: ratio,
  /** A multi-label version has a probability for each class from which on the class is heard. */
  thresholds: z.array(ratio).optional(),
});
export type Calibration = z.infer<typeof calibrationSchema>;

/** A bin of a reliability diagram: clips whose highest probability lies in it. */
const reliabilityBinSchema = z.strictObject({
  clips: z.int().positive(),
  /** Mean of the highest probabilities. */
  confidence: ratio,
  accuracy: ratio,
});

const reliabilitySchema = z.strictObject({
  /** Mean distance of confidence and accuracy, over the clips. */
  expectedCalibrationError: ratio,
  loss: z.number().min(0),
  bins: z.array(reliabilityBinSchema),
});
export type Reliability = z.infer<typeof reliabilitySchema>;

/** How well what is none of the classes is told from what is one. */
const unknownReportSchema = z.strictObject({
  threshold: ratio,
  /** Share of the clips at or above the threshold. */
  trueAcceptRate: ratio,
  /** Share of the other sounds there. */
  falseAcceptRate: ratio,
  auroc: ratio,
  /** The rates by kind of sound, of sounds made by the trainer. */
  kinds: z.array(z.strictObject({ kind: z.string(), sounds: z.int().positive(), falseAcceptRate: ratio })),
});
export type UnknownReport = z.infer<typeof unknownReportSchema>;

/** The calibration of a version on its validation clips: before (temperature 1) and after. */
export const calibrationReportSchema = z.strictObject({
  temperature: z.number().positive(),
  before: reliabilitySchema,
  after: reliabilitySchema,
  /**
   * The reliability on the test fold, with the temperature of the validation clips, if it was looked at.
   */
  test: reliabilitySchema.optional(),
  unknown: unknownReportSchema,
  /** The served networks together, with that threshold, on the clips of the test fold. */
  unknownTest: unknownReportSchema.optional(),
});
export type CalibrationReport = z.infer<typeof calibrationReportSchema>;

/**
 * The kind of a dataset's own recordings of other things, in `unknown.kinds`. They have a say in the
 * threshold, and made sounds have none.
 */
export const recordedKind = 'recordings of other things';

import { z } from 'zod';

const ratio = z.number().min(0).max(1);

/** A point of a ROC curve: the share of the others taken for the class, and of the class found. */
const rocPointSchema = z.strictObject({ falsePositiveRate: ratio, truePositiveRate: ratio });
export type RocPoint = z.infer<typeof rocPointSchema>;

/** How well one class is told from all others (one against the rest, over all clips). */
const classEvaluationSchema = z.strictObject({
  class: z.string().min(1),
  /** Clips of this class. */
  support: z.int().min(0),
  precision: ratio,
  recall: ratio,
  f1: ratio,
  /** Null when there is no clip of the class, or none of any other: no curve exists then. */
  auc: ratio.nullable(),
  /**
   * From (0, 0) to (1, 1); empty when `auc` is null. For drawing: `auc` is exact, the curve may be
   * thinned.
   */
  roc: z.array(rocPointSchema).max(200),
});
export type ClassEvaluation = z.infer<typeof classEvaluationSchema>;

/** What a classifier does on a set of labelled clips. Plain JSON. */
export const evaluationSchema = z.strictObject({
  clips: z.int().positive(),
  correct: z.int().min(0),
  accuracy: ratio,
  /**
   * At 95 %: by bootstrap over the recordings; where `recordings` is absent, Wilson's over the clips.
   */
  accuracyInterval: z.strictObject({ lower: ratio, upper: ratio }),
  /** That the clips are from. */
  recordings: z.int().positive().optional(),
  /** Mean cross-entropy in nats. */
  loss: z.number().min(0),
  /** `confusion[t][p]`: clips of class t that were taken for class p. */
  confusion: z.array(z.array(z.int().min(0))),
  /** The evaluations of the classes, in the order of the network's outputs. */
  perClass: z.array(classEvaluationSchema).min(2),
  /** Unweighted means over the classes; `auc` over those that have one. */
  macro: z.strictObject({ precision: ratio, recall: ratio, f1: ratio, auc: ratio.nullable() }),
});
export type Evaluation = z.infer<typeof evaluationSchema>;

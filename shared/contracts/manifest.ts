import { z } from 'zod';
import { calibrationSchema } from './calibration';
import { frontEndsSchema, membersSchema } from './members';

const fold = z.int().min(1);
const ratio = z.number().min(0).max(1);

/**
 * The report's settings (report, "Training and evaluation"): an epoch is a pass over the training clips.
 */
const adamSchema = z.strictObject({
  optimizer: z.literal('adam'),
  learningRate: z.number().positive(),
  batchSize: z.int().positive(),
  epochs: z.int().positive(),
});

/**
 * The clips whose log loss chose a head's penalty: the fold that validates, where another one judges;
 * else training folds, or recordings of them, each judged by a head that was fitted without it.
 */
const penaltyJudges = [
  'validation fold',
  'training folds in turn',
  'training recordings in turn',
  'nothing: too few recordings',
] as const;

/** A head's on a pretrained encoder: fitted to the optimum, so that no step and no epoch is chosen. */
const lbfgsSchema = z.strictObject({
  optimizer: z.literal('lbfgs'),
  /** Weight of half the squared kernel beside the summed cross-entropy, on standardised features. */
  penalty: z.number().positive(),
  /** Absent: the penalty was given. */
  penaltyChosenBy: z.enum(penaltyJudges).optional(),
});

/** A multi-label version's: nothing is trained, but thresholds are chosen. */
const thresholdsSchema = z.strictObject({
  optimizer: z.literal('none'),
  /**
   * Of the classes that too few recordings are of: the best for all recordings together, or what is
   * assumed without any.
   */
  usualThreshold: ratio,
  /** Classes with a threshold of their own. */
  classesWithOwn: z.int().min(0),
});

export const hyperparametersSchema = z.discriminatedUnion('optimizer', [
  adamSchema,
  lbfgsSchema,
  thresholdsSchema,
]);
export type Hyperparameters = z.infer<typeof hyperparametersSchema>;
/** The hyperparameters of what is trained step by step. */
export type SteppedHyperparameters = z.infer<typeof adamSchema>;
/** The hyperparameters of what is fitted to its optimum. */
export type FittedHyperparameters = z.infer<typeof lbfgsSchema>;
export type PenaltyJudge = (typeof penaltyJudges)[number];

export const protocolSchema = z.strictObject({
  /** Null: every fold but the validation fold trained. */
  testFold: fold.nullable(),
  /**
   * Null: the networks of an ensemble were validated on one of the training folds each, which the others
   * trained.
   */
  validationFold: fold.nullable(),
  trainFolds: z.array(fold).min(1),
  /**
   * The training folds hold a source each (several, where there are more sources than networks): too few
   * for folds of many.
   */
  leaveOneSourceOut: z.literal(true).optional(),
});
export type Protocol = z.infer<typeof protocolSchema>;

/** Chosen on labelled timelines: `npm run evaluate -- VERSION … --false-alarms-per-hour N`. */
const manifestEventsSchema = z.strictObject({
  /** The score at which a sound of each class starts, in the order of the classes. */
  thresholds: z.array(ratio).min(2).max(1000),
  /** The most false alarms of each class, on the timelines that the thresholds were chosen on. */
  falseAlarmsPerHour: z.number().positive(),
});

/** The format of manifests and reports; format 1 had one network and one front end, of several views. */
export const manifestFormat = 2;

/**
 * `manifest.json` of a version in models/: all that is needed to load it, check it and make it again.
 */
export const manifestSchema = z.strictObject({
  formatVersion: z.literal(manifestFormat),
  /** The folder's name. */
  version: z.string().regex(/^[a-z0-9][a-z0-9.-]{0,99}$/),
  createdAt: z.iso.datetime(),
  frontEnds: frontEndsSchema,
  members: membersSchema,
  /** The number of parameters of all members; a version that has nothing but its encoder has none. */
  parameters: z.int().min(0),
  /** Class names, in the order of the network's outputs. */
  classes: z.array(z.string().min(1)).min(2).max(1000),
  /** The recipe that trained it; absent: its architecture's own. */
  recipe: z.string().min(1).optional(),
  hyperparameters: hyperparametersSchema,
  /** `zeros`: of a head, whose optimum does not depend on where the search begins. */
  initialisation: z.enum(['pytorch-uniform', 'zeros']),
  inputScaling: z.literal('unit'),
  protocol: protocolSchema,
  seed: z.int().min(0),
  data: z.strictObject({
    clips: z.int().positive(),
    /** sha256 over every clip's name, fold, category and content hash. */
    fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  }),
  /** Which epoch the weights are of: the best by validation accuracy (ties: lower loss), or the last. */
  epoch: z.int().positive(),
  epochRule: z.enum(['best-validation', 'last']),
  metrics: z.strictObject({
    validationAccuracy: ratio,
    validationLoss: z.number(),
    /** Absent: the test fold was not looked at. */
    testAccuracy: ratio.optional(),
    testMacroF1: ratio.optional(),
    /**
     * Of clips that are answered with the right class: `unknown` is a wrong answer. Absent: not counted.
     */
    validationAnswered: ratio.optional(),
    testAnswered: ratio.optional(),
  }),
  /** Absent: probabilities are the softmax of the logits, and nothing is unknown. */
  calibration: calibrationSchema.optional(),
  /** Absent: the thresholds of events follow from the calibration. */
  events: manifestEventsSchema.optional(),
  code: z.strictObject({ version: z.string(), revision: z.string() }),
  engine: z.string(),
  weights: z.strictObject({
    format: z.literal('tfjs'),
    dtype: z.enum(['float32', 'float16']),
    bytes: z.int().min(0),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    /** Largest |logit difference| to the trained float32 weights over the validation clips. */
    maxLogitError: z.number().min(0),
  }),
});
export type Manifest = z.infer<typeof manifestSchema>;

import { z } from 'zod';
import { calibrationReportSchema } from './calibration';
import { evaluationSchema } from './evaluation';
import { gateDecisionSchema } from './lifecycle';
import { manifestFormat, manifestSchema } from './manifest';

const ratio = z.number().min(0).max(1);
const epochNumber = z.int().positive();
const fold = z.int().min(1);

/** One epoch of a run, as it stands in the metrics log and in a report's history. */
export const epochMetricsSchema = z.strictObject({
  epoch: epochNumber,
  trainLoss: z.number(),
  trainAccuracy: ratio,
  validationLoss: z.number(),
  validationAccuracy: ratio,
  seconds: z.number().min(0),
});
export type EpochMetrics = z.infer<typeof epochMetricsSchema>;

/**
 * The weights after one epoch, judged on both folds that they were not trained on, if the test fold was
 * looked at.
 */
export const epochEvaluationSchema = z.strictObject({
  epoch: epochNumber,
  test: evaluationSchema.optional(),
  validation: evaluationSchema,
});
export type EpochEvaluation = z.infer<typeof epochEvaluationSchema>;

/** A network's layers for one batch size, as the report's task 4 wants them. */
const parameterTableSchema = z.strictObject({
  batchSize: z.int().positive(),
  rows: z.array(
    z.strictObject({
      layer: z.string().min(1),
      /** The shape, with the batch in front. */
      outputShape: z.array(z.int().positive()),
      parameters: z.int().min(0),
      multAdds: z.int().min(0),
    }),
  ),
  trainable: z.int().min(0),
  nonTrainable: z.int().min(0),
  multAdds: z.int().min(0),
});
export type ParameterTable = z.infer<typeof parameterTableSchema>;

/** The figures of one fold's run that are averaged over folds. */
const foldFiguresSchema = z.strictObject({
  epoch: epochNumber,
  validationAccuracy: ratio,
  validationMacroF1: ratio,
  testAccuracy: ratio.optional(),
  testMacroF1: ratio.optional(),
});
export type FoldFigures = z.infer<typeof foldFiguresSchema>;

const foldResultSchema = z.strictObject({
  validationFold: fold,
  trainFolds: z.array(fold).min(1),
  /** Absent: no epoch is chosen where several networks answer together. */
  best: foldFiguresSchema.optional(),
  last: foldFiguresSchema,
});
export type FoldResult = z.infer<typeof foldResultSchema>;

/** Mean and sample standard deviation (n − 1); the latter is null for a single value. */
const spreadSchema = z.strictObject({
  mean: z.number(),
  standardDeviation: z.number().min(0).nullable(),
});
export type Spread = z.infer<typeof spreadSchema>;

const figuresSpreadSchema = z.strictObject({
  validationAccuracy: spreadSchema,
  validationMacroF1: spreadSchema,
  testAccuracy: spreadSchema.optional(),
  testMacroF1: spreadSchema.optional(),
});
export type FiguresSpread = z.infer<typeof figuresSpreadSchema>;

const crossValidationSchema = z.strictObject({
  testFold: fold.nullable(),
  folds: z.array(foldResultSchema).min(1),
  best: figuresSpreadSchema.optional(),
  last: figuresSpreadSchema,
});
export type CrossValidation = z.infer<typeof crossValidationSchema>;

const intervalSchema = z.strictObject({ lower: ratio, upper: ratio });

/**
 * What the very networks that are published answer to clips that trained none of those that judge them.
 */
const servedFiguresSchema = z.strictObject({
  clips: z.int().positive(),
  recordings: z.int().positive(),
  /** Clips whose most probable class is the right one. */
  correct: z.int().min(0),
  accuracyInterval: intervalSchema,
  /** Clips that are answered with the right class: `unknown` is a wrong answer. */
  answered: z.int().min(0),
  answeredInterval: intervalSchema,
  /** Clips that are not answered with `unknown`. */
  passed: z.int().min(0),
  expectedCalibrationError: ratio,
});
export type ServedFigures = z.infer<typeof servedFiguresSchema>;

/**
 * `validation`: each clip by the networks of its own fold, with the temperature and the threshold that
 * the other folds' clips give. `test`: by all networks, as served. Intervals are of a bootstrap over
 * recordings.
 */
const servedReportSchema = z.strictObject({
  validation: servedFiguresSchema,
  test: servedFiguresSchema.optional(),
});
export type ServedReport = z.infer<typeof servedReportSchema>;

/** A point of a class's operating curve. */
const operatingPointSchema = z.strictObject({
  threshold: ratio,
  /** Share of the labelled events. */
  hits: ratio,
  falseAlarmsPerHour: z.number().min(0),
});
export type OperatingPoint = z.infer<typeof operatingPointSchema>;

const eventCounts = {
  /** Labelled; those of one class that no window can tell apart are one. */
  events: z.int().min(0),
  /** Of them, reported once or more. */
  hits: z.int().min(0),
  /** Share of the events, over the recordings that they are from; null: there are none. */
  hitInterval: intervalSchema.nullable(),
  falseAlarms: z.int().min(0),
  /** Of a class, over the recordings that were the background. */
  falseAlarmsPerHour: z.number().min(0),
  falseAlarmInterval: z.strictObject({ lower: z.number().min(0), upper: z.number().min(0) }),
  /** From the onset of a sound that was found to the message that tells of it; null: none was. */
  medianDelaySeconds: z.number().nullable(),
};

/** Events that a version's stream reports on labelled timelines (`npm run evaluate`). */
const eventQualitySchema = z.strictObject({
  /** Two versions with the same one were judged on the same sound. */
  fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  timelines: z.int().positive(),
  hours: z.number().positive(),
  windowSeconds: z.number().positive(),
  hopSeconds: z.number().positive(),
  ...eventCounts,
  /** Nine of ten are told of within it. */
  slowDelaySeconds: z.number().nullable(),
  /** Of the onset that is reported, after the labelled one. */
  medianOnsetErrorSeconds: z.number().nullable(),
  /** Further reports of sounds that were found already. */
  repeated: z.int().min(0),
  perClass: z
    .array(
      z.strictObject({
        class: z.string().min(1),
        threshold: ratio,
        ...eventCounts,
        curve: z.array(operatingPointSchema),
      }),
    )
    .min(2),
});
export type EventQuality = z.infer<typeof eventQualitySchema>;

/** What training on so many recordings a class is worth. */
const learningPointSchema = z.strictObject({
  recordings: z.int().positive(),
  /** Random choices of the recordings, over which mean and deviation are. */
  draws: z.int().positive(),
  accuracy: spreadSchema,
});
export type LearningPoint = z.infer<typeof learningPointSchema>;

const learningCurveSchema = z.strictObject({
  /** Each fold judged by heads on recordings of the others that train. Empty: a class has too few. */
  validation: z.array(learningPointSchema),
  /** The test fold judged by heads on recordings of all others, if it was looked at. */
  test: z.array(learningPointSchema).optional(),
});
export type LearningCurve = z.infer<typeof learningCurveSchema>;

const counts = z.array(z.int().min(0));

/**
 * What the validation clips got from networks that were not trained on them: for comparing versions clip
 * by clip, and what is served with what was trained for. One entry a clip in the first three.
 */
const validationProfileSchema = z.strictObject({
  /**
   * The first 12 hexadecimal digits of the sha256 of a clip's name: the same clip, in the same data, has
   * the same.
   */
  clips: z.array(z.string().regex(/^[0-9a-f]{12}$/)).min(1),
  /** Indices into the classes: what it is, and what it was taken for. */
  labels: counts,
  answers: counts,
  /** Clips by their highest probability, and by their level: bins of shared/decision/distribution. */
  confidence: counts,
  levels: counts,
});
export type ValidationProfile = z.infer<typeof validationProfileSchema>;

/** `report.json` of a version: how it was trained and what it is worth. */
export const reportSchema = z.strictObject({
  formatVersion: z.literal(manifestFormat),
  version: manifestSchema.shape.version,
  createdAt: manifestSchema.shape.createdAt,
  configuration: manifestSchema.pick({
    frontEnds: true,
    members: true,
    classes: true,
    recipe: true,
    hyperparameters: true,
    initialisation: true,
    inputScaling: true,
    protocol: true,
    seed: true,
    data: true,
    code: true,
    engine: true,
  }),
  history: z.array(epochMetricsSchema).min(1),
  /**
   * `best`: by validation accuracy (ties: lower loss), and what is served where there is one. `last`:
   * the report's choice.
   */
  evaluations: z.strictObject({ best: epochEvaluationSchema.optional(), last: epochEvaluationSchema }),
  calibration: calibrationReportSchema.optional(),
  parameterTable: parameterTableSchema,
  crossValidation: crossValidationSchema.optional(),
  /** The learning curve of heads on an encoder, by recordings a class. Absent: nobody drew it. */
  learningCurve: learningCurveSchema.optional(),
  /** Absent: made before it was kept (`npm run evaluate` adds it). */
  served: servedReportSchema.optional(),
  /** Absent: nobody judged its events. */
  events: eventQualitySchema.optional(),
  /** Absent: made before it was kept. */
  reference: validationProfileSchema.optional(),
  /** The latest decision about serving it; absent: nobody asked. */
  gate: gateDecisionSchema.optional(),
});
export type Report = z.infer<typeof reportSchema>;

/** Returns the evaluation of the weights that are served: the best epoch's where there is one. */
export function servedEvaluation({ evaluations }: Pick<Report, 'evaluations'>): EpochEvaluation {
  return evaluations.best ?? evaluations.last;
}

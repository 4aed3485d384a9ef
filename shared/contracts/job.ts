import { z } from 'zod';
import { architectures } from './architecture';
import { datasetNameSchema } from './dataset';
import { epochMetricsSchema } from './report';
import {
  refuseForeignHyperparameters,
  trainingProtocolSchema,
  trainingRequestSchema,
  tunableHyperparameters,
} from './training-request';

/** One value, or several of which each is tried (grid search). */
function oneOrMore<T extends z.ZodType>(value: T) {
  return z.union([value, z.array(value).min(1).max(16)]);
}

type Lists<S extends z.ZodRawShape> = {
  [Name in keyof S]: z.ZodOptional<z.ZodUnion<[S[Name], z.ZodArray<S[Name]>]>>;
};

function listsOf<S extends Readonly<Record<string, z.ZodType>>>(shape: S): Lists<S> {
  const lists = Object.entries(shape).map(([name, value]) => [name, oneOrMore(value).optional()]);
  return Object.fromEntries(lists) as Lists<S>;
}

/** What is not given is the architecture's own; a list makes one run of each combination. */
export const jobHyperparametersSchema = z.strictObject(listsOf(tunableHyperparameters));
export type JobHyperparameters = z.infer<typeof jobHyperparametersSchema>;

export const jobProtocolSchema = trainingProtocolSchema.pick({
  testFold: true,
  validationFold: true,
  crossValidate: true,
});

/** `POST /jobs`. */
export const jobRequestSchema = z.strictObject({
  kind: z.literal('train'),
  architecture: z.enum(architectures),
  hyperparameters: jobHyperparametersSchema.default({}),
  protocol: jobProtocolSchema.prefault({}),
  /** A dataset's name; absent: the trainer's own (DATA_DIR). */
  dataset: datasetNameSchema.optional(),
  seed: trainingRequestSchema.shape.seed,
  /**
   * What becomes of the version that the job makes: promoted when it passes the gate, or left for
   * someone to decide.
   */
  promote: z.enum(['if-better', 'never']).default('never'),
});
export type JobRequest = z.infer<typeof jobRequestSchema>;

const refuseForeign = refuseForeignHyperparameters(tunableHyperparameters);

/**
 * A new job: asked for with what its architecture has, on folds that can be judged. Jobs that are kept
 * are not judged again.
 */
export const newJobSchema = jobRequestSchema.superRefine((request, context) => {
  const { protocol } = request;
  const { testFold, validationFold, crossValidate } = protocol;
  // A cross-validation leaves the test fold out of those that validate in turn.
  if (testFold === validationFold && !crossValidate) {
    const message =
      `protocol.testFold and protocol.validationFold are both ${testFold}: the test would be what was selected by; ` +
      'choose two folds (where none is given, testFold is 1 and validationFold 2)';
    context.addIssue({ code: 'custom', path: ['protocol', 'validationFold'], message });
  }
  refuseForeign(request, context);
});

export const jobStateSchema = z.enum(['queued', 'running', 'finished', 'failed', 'cancelled']);
export type JobState = z.infer<typeof jobStateSchema>;

export const jobProgressSchema = z.strictObject({
  epoch: z.int().min(0),
  epochs: z.int().positive(),
  /** Of the latest whole epoch. */
  latest: epochMetricsSchema.optional(),
  secondsLeft: z.number().min(0).optional(),
});
export type JobProgress = z.infer<typeof jobProgressSchema>;

export const jobResultSchema = z.strictObject({
  /** The versions in models/ that the job made. */
  versions: z.array(z.string()),
  /** What became of them: why one was promoted, or was not. */
  promotion: z.string().optional(),
  /** What to expect of the version, and what would make it better. */
  advice: z.array(z.string()).optional(),
  /** One line a run: what it is worth. */
  runs: z.array(
    z.strictObject({
      name: z.string(),
      validationAccuracy: z.number().min(0).max(1),
      testAccuracy: z.number().min(0).max(1).optional(),
      /** Of the trained weights: the same job makes the same. */
      sha256: z.string().optional(),
    }),
  ),
});
export type JobResult = z.infer<typeof jobResultSchema>;

export const jobSchema = z.strictObject({
  id: z.string().regex(/^[\w-]{1,64}$/),
  request: jobRequestSchema,
  state: jobStateSchema,
  createdAt: z.iso.datetime(),
  startedAt: z.iso.datetime().optional(),
  finishedAt: z.iso.datetime().optional(),
  /** How often a worker began it: more than once where one was lost on the way. */
  attempts: z.int().min(0),
  progress: jobProgressSchema.optional(),
  result: jobResultSchema.optional(),
  error: z.strictObject({ code: z.string(), message: z.string() }).optional(),
  /** Of a cross-validation or a grid: the job that it is a run of. */
  parent: z.string().optional(),
  /** The runs that it consists of. */
  children: z.array(z.string()).optional(),
});
export type Job = z.infer<typeof jobSchema>;

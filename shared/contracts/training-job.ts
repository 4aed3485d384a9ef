import { z } from 'zod';
import { architectures } from './architecture';
import { datasetNameSchema } from './dataset';
import type { JobKind } from './job-kind';
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
const jobHyperparametersSchema = z.strictObject(listsOf(tunableHyperparameters));
export type JobHyperparameters = z.infer<typeof jobHyperparametersSchema>;

const jobProtocolSchema = trainingProtocolSchema.pick({
  testFold: true,
  validationFold: true,
  crossValidate: true,
});

/** `POST /jobs` of the kind `train`. */
export const trainingJobSchema = z.strictObject({
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
export type TrainingJobRequest = z.infer<typeof trainingJobSchema>;

const refuseForeign = refuseForeignHyperparameters(tunableHyperparameters);

/** A training job: a network or heads, on one split of a dataset or cross-validated. */
export const trainingJob: JobKind<TrainingJobRequest> = {
  checkNew(request, context) {
    const { testFold, validationFold, crossValidate } = request.protocol;
    // A cross-validation leaves the test fold out of those that validate in turn.
    if (testFold === validationFold && !crossValidate) {
      const message =
        `protocol.testFold and protocol.validationFold are both ${testFold}: the test would be what was selected by; ` +
        'choose two folds (where none is given, testFold is 1 and validationFold 2)';
      context.addIssue({ code: 'custom', path: ['protocol', 'validationFold'], message });
    }
    refuseForeign(request, context);
  },
  subject: ({ architecture, dataset }) =>
    dataset === undefined ? architecture : `${architecture} on ${dataset}`,
  folds({ protocol: { testFold, validationFold } }) {
    const folds = { 'protocol.validationFold': validationFold };
    return testFold === null ? folds : { 'protocol.testFold': testFold, ...folds };
  },
};

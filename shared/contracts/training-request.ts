import { z } from 'zod';
import { architectures, networkConfigSchema, type Architecture } from './architecture';

/**
 * The numbers of a training that may be asked for, by themselves or, in a job, as a list of values to
 * try. What is absent is the recipe's or the network's own.
 */
export const tunableHyperparameters = {
  learningRate: z.number().positive().max(1).describe('the highest, where the recipe changes it'),
  batchSize: z.int().positive().max(1024).describe('clips'),
  epochs: z.int().positive().max(100_000).describe('passes over the training clips'),
  dropout: z.number().min(0).max(0.95).describe('share of the activations'),
  penalty: z
    .number()
    .positive()
    .max(1e6)
    .describe("encoder: on the head's squared weights; absent: chosen by log loss on clips held out"),
  heads: z.literal([1, 2, 4]).describe('transformer: attention heads'),
  hidden: z.int().min(1).max(8192).describe('transformer: width of the feed-forward layer'),
  batchNorm: z.enum(['counted', 'applied']).describe('cnn: as the report, or as its name says'),
};

export const tunableNames = Object.keys(tunableHyperparameters) as (keyof typeof tunableHyperparameters)[];

/** Which folds train, choose and test. */
export const trainingProtocolSchema = z.strictObject({
  testFold: z
    .int()
    .min(1)
    .nullable()
    .default(1)
    .describe('never trained or selected on; none: all other folds train'),
  validationFold: z.int().min(1).default(2).describe('chooses the epoch; the other folds train'),
  crossValidate: z.boolean().default(false).describe('every fold but the test fold validates in turn'),
  seeds: z
    .int()
    .min(1)
    .max(20)
    .default(1)
    .describe(
      'of a cross-validation: so many, counted from the seed; the best on validation is published, the others calibrate what averaging gives',
    ),
  blind: z.boolean().default(false).describe('leaves the test fold unread: validation figures only'),
});

/**
 * What is trained on what, by which protocol and from which seed. The command line, `POST /jobs` and the
 * report's protocol each map to it; defaults and descriptions are said here alone.
 */
export const trainingRequestSchema = z.strictObject({
  architecture: z.enum(architectures).default('cnn').describe('of the network'),
  recipe: z.string().min(1).optional().describe("how it is trained; absent: the architecture's own recipe"),
  hyperparameters: z
    .strictObject({
      learningRate: tunableHyperparameters.learningRate.optional(),
      batchSize: tunableHyperparameters.batchSize.optional(),
      epochs: tunableHyperparameters.epochs.optional(),
      dropout: tunableHyperparameters.dropout.optional(),
      penalty: tunableHyperparameters.penalty.optional(),
      heads: tunableHyperparameters.heads.optional(),
      hidden: tunableHyperparameters.hidden.optional(),
      batchNorm: tunableHyperparameters.batchNorm.optional(),
    })
    .prefault({}),
  encoder: z
    .string()
    .min(1)
    .optional()
    .describe("small: file of the small encoder; absent: this package's own"),
  protocol: trainingProtocolSchema.prefault({}),
  seed: z.int().min(0).max(0xffffffff).default(1).describe('equal seeds give equal weights'),
  precision: z.enum(['float16', 'float32']).default('float16').describe('of the published weights'),
  data: z.string().min(1).optional().describe('recordings; absent: DATA_DIR, else ./data/ESC-50'),
  csv: z.string().min(1).optional().describe('their classes and folds; absent: the one that the folder has'),
  esc10Only: z.boolean().default(false).describe('only the rows of ESC-50 that make up ESC-10'),
  resume: z.boolean().default(false).describe('continue a run that was stopped'),
  fresh: z.boolean().default(false).describe('forget a run that was stopped, and start anew'),
});
export type TrainingRequest = z.infer<typeof trainingRequestSchema>;

const stepped = ['learningRate', 'batchSize', 'epochs'];
/** The hyperparameters of an architecture's training, where they are not `stepped`. */
const trainedBy: Readonly<Partial<Record<Architecture, readonly string[]>>> = {
  encoder: ['penalty'],
  small: ['penalty'],
};

/**
 * The names of the hyperparameters that an architecture has, of those that may be asked for: its
 * training's, then its network's.
 */
function hyperparametersOf(architecture: Architecture, askable: Readonly<z.ZodRawShape>): readonly string[] {
  const network = networkConfigSchema.options.find(
    ({ shape }) => shape.architecture.safeParse(architecture).success,
  );
  const ofNetwork = Object.keys(network?.shape ?? {}).filter((name) => name in askable);
  return [...(trainedBy[architecture] ?? stepped), ...ofNetwork];
}

interface ArchitectureRequest {
  readonly architecture: Architecture;
  readonly hyperparameters: Readonly<Record<string, unknown>>;
}

/**
 * Returns a refinement for a schema of requests: hyperparameters that the architecture does not have are
 * refused, with the names of those that it has, because a training would not heed them.
 * @param askable the hyperparameters of the schema
 * @param spell how a name is written where the request comes from
 */
export function refuseForeignHyperparameters(
  askable: Readonly<z.ZodRawShape>,
  spell: (name: string) => string = (name) => name,
): (request: ArchitectureRequest, context: z.RefinementCtx) => void {
  return ({ architecture, hyperparameters }, context) => {
    const known = hyperparametersOf(architecture, askable);
    for (const [name, value] of Object.entries(hyperparameters)) {
      if (value === undefined || known.includes(name)) continue;
      const message = `${architecture} has none; it has ${known.map(spell).join(', ')}`;
      context.addIssue({ code: 'custom', path: ['hyperparameters', name], message });
    }
  };
}

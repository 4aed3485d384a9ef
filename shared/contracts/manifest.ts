import { z } from 'zod';
import { networkConfigSchema } from './architecture';
import { frontEndSchema } from './front-end';

const fold = z.int().min(1);
const ratio = z.number().min(0).max(1);

/** Optimiser settings of a run (report, "Training and evaluation"). */
export const hyperparametersSchema = z.strictObject({
  optimizer: z.literal('adam'),
  learningRate: z.number().positive(),
  batchSize: z.int().positive(),
  epochs: z.int().positive(),
});
export type Hyperparameters = z.infer<typeof hyperparametersSchema>;

export const protocolSchema = z.strictObject({
  testFold: fold,
  validationFold: fold,
  trainFolds: z.array(fold).min(1),
});
export type Protocol = z.infer<typeof protocolSchema>;

/** `manifest.json` of a version in models/: all that is needed to load it, check it and make it again. */
export const manifestSchema = z.strictObject({
  formatVersion: z.literal(1),
  /** The folder's name. */
  version: z.string().regex(/^[a-z0-9][a-z0-9.-]{0,99}$/),
  createdAt: z.iso.datetime(),
  network: networkConfigSchema,
  parameters: z.int().positive(),
  /** Class names, in the order of the network's outputs. */
  classes: z.array(z.string().min(1)).min(2).max(1000),
  frontEnd: frontEndSchema,
  hyperparameters: hyperparametersSchema,
  initialisation: z.literal('pytorch-uniform'),
  inputScaling: z.literal('unit'),
  protocol: protocolSchema,
  seed: z.int().min(0),
  data: z.strictObject({
    clips: z.int().positive(),
    /** sha256 over every clip's name, fold, category and content hash. */
    fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  }),
  /** Which epoch the weights are of: the best by validation accuracy (ties: lower loss). */
  epoch: z.int().positive(),
  epochRule: z.literal('best-validation'),
  metrics: z.strictObject({
    validationAccuracy: ratio,
    validationLoss: z.number(),
    testAccuracy: ratio,
    testMacroF1: ratio,
  }),
  code: z.strictObject({ version: z.string(), revision: z.string() }),
  engine: z.string(),
  weights: z.strictObject({
    format: z.literal('tfjs'),
    dtype: z.enum(['float32', 'float16']),
    bytes: z.int().positive(),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    /** Largest |logit difference| to the trained float32 weights over the validation clips. */
    maxLogitError: z.number().min(0),
  }),
});
export type Manifest = z.infer<typeof manifestSchema>;

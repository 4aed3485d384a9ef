import { z } from 'zod';

const probability = z.number().min(0).max(0.95);

/**
 * The report's Conv1DNet. `batchNorm: 'counted'` is the report's own: counted in its table, never run.
 */
const cnnSchema = z.strictObject({
  architecture: z.literal('cnn'),
  dropout: probability.default(0.1),
  batchNorm: z.enum(['counted', 'applied']).default('counted'),
});

/** The report's CombinedModel: the same trunk, a class token and one encoder block. */
const transformerSchema = z.strictObject({
  architecture: z.literal('transformer'),
  dropout: probability.default(0.1),
  heads: z.union([z.literal(1), z.literal(2), z.literal(4)]).default(4),
  hidden: z.int().min(1).max(8192).default(1024),
});

/**
 * A linear head on an encoder's features (shared/compute/network/head.ts): `encoder` on the large one,
 * which is pretrained elsewhere, `small` on the one that was taught by it. `multiLabel`: no head of its
 * own, but the encoder's: the classes are AudioSet's, several may be heard at once, and their
 * probabilities are independent.
 */
const encoderHeadSchema = z.strictObject({
  architecture: z.enum(['encoder', 'small']),
  multiLabel: z.literal(true).optional(),
});

export const networkConfigSchema = z.discriminatedUnion('architecture', [
  cnnSchema,
  transformerSchema,
  encoderHeadSchema,
]);

/** The names of all architectures. */
export const architectures: readonly Architecture[] = networkConfigSchema.options.flatMap(
  ({ shape: { architecture } }): Architecture[] =>
    'options' in architecture ? architecture.options : [...architecture.values],
);

export type CnnConfig = z.infer<typeof cnnSchema>;
export type TransformerConfig = z.infer<typeof transformerSchema>;
export type EncoderHeadConfig = z.infer<typeof encoderHeadSchema>;
export type NetworkConfig = z.infer<typeof networkConfigSchema>;
export type Architecture = NetworkConfig['architecture'];

/** Whether a network is a head on an encoder. */
export function isHead(config: NetworkConfig): config is EncoderHeadConfig {
  return config.architecture === 'encoder' || config.architecture === 'small';
}

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
 * A convolutional network on log-mel crops. `mel` in two widths: 465,218 and 79,862 parameters for ten
 * classes; `mel-small` is the narrow one, alone.
 */
export const melSchema = z.strictObject({
  architecture: z.enum(['mel', 'mel-small']),
  /**
   * Channels of the first convolutions, which all others follow; absent: 24 of `mel`, 12 of `mel-small`.
   */
  width: z.union([z.literal(12), z.literal(24)]).optional(),
  dropout: probability.default(0.3),
  /**
   * One output more than there are classes, fitted when the rest is trained
   * (shared/decision/familiarity.ts).
   */
  familiarity: z.literal(true).optional(),
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
  melSchema,
  encoderHeadSchema,
]);

/** The names of all architectures. */
export const architectures: readonly Architecture[] = networkConfigSchema.options.flatMap(
  ({ shape: { architecture } }): Architecture[] =>
    'options' in architecture ? architecture.options : [...architecture.values],
);

export type CnnConfig = z.infer<typeof cnnSchema>;
export type TransformerConfig = z.infer<typeof transformerSchema>;
export type MelConfig = z.infer<typeof melSchema>;
export type EncoderHeadConfig = z.infer<typeof encoderHeadSchema>;
export type NetworkConfig = z.infer<typeof networkConfigSchema>;
export type Architecture = NetworkConfig['architecture'];

/** Whether a network is a head on an encoder. */
export function isHead(config: NetworkConfig): config is EncoderHeadConfig {
  return config.architecture === 'encoder' || config.architecture === 'small';
}

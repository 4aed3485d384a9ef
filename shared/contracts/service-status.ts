import { z } from 'zod';
import { gateChecks, gateDecisionSchema, servingStateSchema } from './lifecycle';

/** `GET /healthz`: the event loop turns. */
export const healthSchema = z.object({ status: z.literal('alive') });

/** `GET /readyz`: whether recordings are taken, and why not. */
export const serviceStatusSchema = z.object({
  status: z.enum(['starting', 'ready', 'unavailable', 'draining']),
  reason: z.string(),
  warnings: z
    .array(z.string())
    .optional()
    .describe('What is wrong though recordings are taken, as a Redis that may lose jobs; absent: nothing'),
});
export type ServiceStatus = z.infer<typeof serviceStatusSchema>;

const ratio = z.number().min(0).max(1);

const shadowFiguresSchema = z.object({
  version: z.string(),
  share: ratio.describe('Of the recordings and of the streams’ windows that it is to judge'),
  agreed: z.int().min(0).describe('Windows of which it said the same'),
  disagreed: z.int().min(0),
  dropped: z.int().min(0).describe('Left out, because it was busy or others waited'),
  meanConfidenceDifference: z
    .number()
    .nullable()
    .describe('Its confidence less that of the version that answered; null: it judged nothing yet'),
  problem: z.string().optional().describe('Why it judges nothing'),
});
export type ShadowFigures = z.infer<typeof shadowFiguresSchema>;

/** A version as `GET /models` lists it. */
const modelSummarySchema = z.object({
  version: z.string(),
  status: z
    .enum(['served', 'previous', 'candidate', 'corrupt'])
    .describe('`previous`: what a rollback would serve; `candidate`: could be promoted'),
  reason: z.string().optional().describe('Why it is skipped'),
  architecture: z.string().optional(),
  createdAt: z.iso.datetime().optional(),
  parameters: z.int().optional(),
  classes: z.array(z.string()).optional(),
  validationAccuracy: ratio.optional(),
  testAccuracy: ratio.optional(),
});
export type ModelSummary = z.infer<typeof modelSummarySchema>;

/** A way to compute the version that serves, as it was measured on this machine. */
const triedScorerSchema = z.object({
  engine: z.string(),
  taken: z.boolean().describe('Whether the version was computed on it from then on'),
  windowMs: z.number().optional().describe('Milliseconds of a window alone'),
  batchWindowMs: z.number().optional().describe('Milliseconds of each window of the largest batch'),
  batchWindows: z.int().optional().describe('Windows of that batch'),
  largestDifference: z.number().optional().describe('To the probabilities that the trainer stored'),
  problem: z.string().optional().describe('Why it was not measured'),
});

/** `GET /models`: what lies in the registry, and what of it serves. */
export const modelListSchema = z.object({
  served: z
    .object({
      version: z.string(),
      engine: z.string().describe('Where it computes'),
      scorers: z
        .array(triedScorerSchema)
        .describe('What was measured where the machine has several engines; empty: nothing, or not yet'),
    })
    .nullable()
    .describe('The version that answers now'),
  current: z.string().nullable().describe('The version that was promoted last; null: none was'),
  previous: z.string().nullable().describe('What a rollback would serve'),
  pinned: z.string().nullable().describe('Served whatever is current; no promotion until it is unpinned'),
  shadow: shadowFiguresSchema.nullable(),
  problems: z
    .array(z.object({ version: z.string().optional(), reason: z.string() }))
    .describe('Why another version answers than the one that should'),
  models: z.array(modelSummarySchema),
});
export type ModelList = z.infer<typeof modelListSchema>;

/** `GET /models/:id`. */
export const modelDetailsSchema = modelSummarySchema.extend({
  pinned: z.boolean(),
  shadow: shadowFiguresSchema.nullable().describe('What it said beside the version that answered'),
  validation: z
    .object({
      clips: z.int(),
      correct: z.int(),
      accuracyInterval: z
        .object({ lower: ratio, upper: ratio })
        .describe('At 95 %, over the recordings where they are known'),
      recall: z.record(z.string(), ratio).describe('By class'),
    })
    .nullable()
    .describe('From its report; null: it has none'),
  gate: gateDecisionSchema.nullable().describe('The latest decision about promoting it; null: nobody asked'),
});
export type ModelDetails = z.infer<typeof modelDetailsSchema>;

/** `GET /labels`. */
export const labelsSchema = z.object({
  version: z.string().describe('The version that answers now'),
  multiLabel: z.boolean().describe('Whether several classes may be heard at once'),
  classes: z
    .array(z.string())
    .describe('What a recording or a sound is named as, in the order of the network’s outputs'),
  tags: z
    .array(z.object({ id: z.string().describe('AudioSet’s, as `/m/0bt9lr`'), label: z.string() }))
    .describe(
      'What `tags` of an answer name beside the classes; empty where the version has no pretrained encoder',
    ),
});
export type Labels = z.infer<typeof labelsSchema>;

/** Body of `POST /models/:id/promote`. */
export const promoteRequestSchema = z.strictObject({
  waive: z
    .array(z.enum(gateChecks))
    .default([])
    .describe(
      'Checks that shall not count, as `classes` for a model with other classes; a fault in parity always counts',
    ),
});

/** Body of `POST /models/:id/shadow`. */
export const shadowRequestSchema = z.strictObject({
  share: z.number().gt(0).max(1).default(0.1).describe('Of what is judged, that it judges too'),
});

/** What a change of what serves answers. */
export const servingChangeSchema = z.object({
  serving: servingStateSchema,
  served: z.string().nullable().describe('The version that this instance answers with now'),
  problem: z.string().optional().describe('Why that is not the one that should serve'),
  decision: gateDecisionSchema.optional().describe('Of a promotion'),
});
export type ServingChange = z.infer<typeof servingChangeSchema>;

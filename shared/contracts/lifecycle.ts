import { z } from 'zod';
import { manifestSchema } from './manifest';

const ratio = z.number().min(0).max(1);
const versionName = manifestSchema.shape.version;

/** Versions that served before, remembered for a rollback. */
export const maxPrevious = 20;

const shadowSettingsSchema = z.strictObject({
  version: versionName,
  share: z.number().gt(0).max(1).describe('Share of what is judged that it judges too'),
});
export type ShadowSettings = z.infer<typeof shadowSettingsSchema>;

/**
 * `serving.<generation>.json` beside the versions: which of them serves. The highest generation counts.
 */
export const servingStateSchema = z.strictObject({
  formatVersion: z.literal(1),
  generation: z.int().positive(),
  changedAt: z.iso.datetime(),
  change: z.enum(['promote', 'rollback', 'pin', 'unpin', 'shadow', 'unshadow']),
  /** Who asked for it: a key's name, or a job. */
  by: z.string().min(1).max(200),
  current: versionName,
  /** The latest first. */
  previous: z.array(versionName).max(maxPrevious),
  /** Serves whatever is current, and forbids promotions; null: nothing is pinned. */
  pinned: versionName.nullable(),
  shadow: shadowSettingsSchema.nullable(),
});
export type ServingState = z.infer<typeof servingStateSchema>;

/** `golden.json` of a version: what its trainer computed for sounds that anybody can make again. */
export const goldenSchema = z.strictObject({
  formatVersion: z.literal(1),
  /** Where the trainer computed them. */
  engine: z.string(),
  clips: z
    .array(
      z.strictObject({
        clip: z.string(),
        probabilities: z.array(ratio).min(2),
        /** For the most probable class; 1 where the networks do not judge it. Absent: not stored yet. */
        evidence: ratio.optional(),
        /** The same, as earlier releases stored it. */
        familiarity: ratio.optional(),
      }),
    )
    .min(1),
});
export type Golden = z.infer<typeof goldenSchema>;

export const gateChecks = ['classes', 'accuracy', 'recall', 'events', 'parity', 'latency'] as const;
export type GateCheck = (typeof gateChecks)[number];

const gateCheckSchema = z.strictObject({
  check: z.enum(gateChecks),
  outcome: z.enum(['passed', 'failed', 'not-measured']),
  waived: z.boolean().describe('It does not count, because whoever promoted said so'),
  message: z.string(),
  figures: z.record(z.string(), z.union([z.number(), z.string(), z.array(z.string())])),
});
export type GateCheckResult = z.infer<typeof gateCheckSchema>;

/** What the gate made of a version, with every figure it was decided on. */
export const gateDecisionSchema = z.strictObject({
  version: versionName,
  against: versionName.nullable().describe('The version that served then; null: none'),
  decidedAt: z.iso.datetime(),
  by: z.string(),
  engine: z.string().describe('Where parity and latency were measured'),
  passed: z.boolean(),
  checks: z.array(gateCheckSchema),
});
export type GateDecision = z.infer<typeof gateDecisionSchema>;

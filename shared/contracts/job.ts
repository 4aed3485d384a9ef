import { z } from 'zod';
import { jobRequestSchema } from './job-kinds';
import { epochMetricsSchema } from './report';

export const jobStateSchema = z.enum(['queued', 'running', 'finished', 'failed', 'cancelled']);
export type JobState = z.infer<typeof jobStateSchema>;

export const jobProgressSchema = z.strictObject({
  epoch: z.int().min(0),
  epochs: z.int().positive(),
  /** The figures of the latest whole epoch. */
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
      /** The sha256 of the trained weights: the same job makes the same. */
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
  /** The job that it is a run of, in a cross-validation or a grid. */
  parent: z.string().optional(),
  /** The runs that it consists of. */
  children: z.array(z.string()).optional(),
});
export type Job = z.infer<typeof jobSchema>;

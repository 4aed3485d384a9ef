import { z } from 'zod';
import { jobProgressSchema, jobRequestSchema, jobResultSchema, jobSchema } from '../contracts/job';

/** What a worker tells its child process: one piece of work. */
export const runOrderSchema = z.strictObject({
  job: jobSchema,
  /** Its runs, all finished: what is left is the last step. */
  children: z.array(jobSchema),
});
export type RunOrder = z.infer<typeof runOrderSchema>;

/** What the child tells: how far it is, and in the end one of the others. */
export const runMessageSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('progress'), progress: jobProgressSchema }),
  /** The job consists of these runs. */
  z.strictObject({ type: z.literal('planned'), runs: z.array(jobRequestSchema).min(1).max(1024) }),
  z.strictObject({ type: z.literal('finished'), result: jobResultSchema }),
  z.strictObject({ type: z.literal('failed'), code: z.string(), message: z.string() }),
  /** Told to, it stopped between two batches; the last whole epoch is kept. */
  z.strictObject({ type: z.literal('stopped') }),
]);
export type RunMessage = z.infer<typeof runMessageSchema>;

export type RunOutcome =
  | Exclude<RunMessage, { type: 'progress' }>
  /** The process ended without a word: killed, out of memory, a crash in native code. */
  | { readonly type: 'lost'; readonly reason: string };

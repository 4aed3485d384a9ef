import { z } from 'zod';
import { AppError } from '../errors/app-error';
import { jobProgressSchema, jobResultSchema, jobSchema } from '../contracts/job';
import { jobRequestSchema } from '../contracts/job-kinds';

/** The message from a worker to its child process: one piece of work. */
const runOrderSchema = z.strictObject({
  job: jobSchema,
  /** The children of the job, all finished, when only the last step is left. */
  children: z.array(jobSchema),
});
export type RunOrder = z.infer<typeof runOrderSchema>;

/**
 * Parses an order. Unknown fields of the job are ignored; unknown fields of the request are
 * refused.
 * @throws AppError invalid-configuration
 */
export function readRunOrder(message: unknown): RunOrder {
  const parsed = runOrderSchema.safeParse(message);
  const issue = parsed.error?.issues.find(
    ({ code, path }) => code !== 'unrecognized_keys' || path.includes('request'),
  );
  if (issue === undefined) return parsed.data ?? (message as RunOrder);
  const what = `${issue.path.join('.')}: ${issue.message}`;
  throw new AppError(
    'invalid-configuration',
    `The job asks for what this trainer does not know (${what}): another version took it; use that one here too.`,
  );
}

/** Messages from the child process: progress, and at the end one of the others. */
export const runMessageSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('progress'), progress: jobProgressSchema }),
  /** The job consists of these runs, which become its children. */
  z.strictObject({ type: z.literal('planned'), runs: z.array(jobRequestSchema).min(1).max(1024) }),
  z.strictObject({ type: z.literal('finished'), result: jobResultSchema }),
  z.strictObject({ type: z.literal('failed'), code: z.string(), message: z.string() }),
  /** The child stopped between two batches as requested; the last complete epoch is kept. */
  z.strictObject({ type: z.literal('stopped') }),
]);
export type RunMessage = z.infer<typeof runMessageSchema>;

export type RunOutcome =
  | Exclude<RunMessage, { type: 'progress' }>
  /** The process ended without a message: killed, out of memory, or a crash in native code. */
  | { readonly type: 'lost'; readonly reason: string };

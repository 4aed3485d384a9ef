import { z } from 'zod';
import { AppError } from '../errors/app-error';
import { jobProgressSchema, jobRequestSchema, jobResultSchema, jobSchema } from '../contracts/job';

/** What a worker tells its child process: one piece of work. */
const runOrderSchema = z.strictObject({
  job: jobSchema,
  /** Its runs, all finished: what is left is the last step. */
  children: z.array(jobSchema),
});
export type RunOrder = z.infer<typeof runOrderSchema>;

/**
 * An order as it came. What a newer version says of a job besides is passed over, but not what it says of how to train.
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

import type { z } from 'zod';

/** What is asked of the requests of one kind of job, beyond their schema. */
export interface JobKind<Request> {
  /** Adds an issue for each reason to refuse a new job. Stored jobs are not checked again. */
  checkNew?(request: Request, context: z.RefinementCtx): void;
  /** What the job is about, for one line in a terminal: `cnn on kitchen`. */
  subject(request: Request): string;
  /** The folds that its dataset must have: the field of the request that asks, and the fold. */
  folds?(request: Request): Readonly<Record<string, number>>;
}

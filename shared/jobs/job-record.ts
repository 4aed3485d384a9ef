import { z } from 'zod';
import { jobSchema, type Job, type JobRequest } from '../contracts/job';

/** A job and what its queue needs to know of it. */
export const jobRecordSchema = z.strictObject({
  job: jobSchema,
  /** Counts changes: who changes a record says which one it has read. */
  revision: z.int().positive(),
  /** Order of submission; clocks may be set back. */
  sequence: z.int().min(0),
  /** Work is waiting for a worker, or in the hands of one. */
  ready: z.boolean(),
  /** Which piece of work that is: a parent has one before its runs and one after them. */
  turn: z.int().min(0),
  /** Since when it is ready; absent in records from before it was kept. */
  waitingSince: z.iso.datetime().optional(),
  /** Workers lost in a row without a new epoch. */
  losses: z.int().min(0),
  key: z.string().optional(),
});
export type JobRecord = z.infer<typeof jobRecordSchema>;

export function isEnded({ state }: Pick<Job, 'state'>): boolean {
  return state === 'finished' || state === 'failed' || state === 'cancelled';
}

/** Whether it counts among the jobs that may wait: runs of a job that was taken do not. */
export function waitsAsJob({ job }: JobRecord): boolean {
  return job.parent === undefined && job.state === 'queued';
}

export function newRecord(
  id: string,
  request: JobRequest,
  more: { readonly key?: string; readonly parent?: string } = {},
): JobRecord {
  const { key, parent } = more;
  const createdAt = new Date().toISOString();
  return {
    job: {
      id,
      request,
      state: 'queued',
      createdAt,
      attempts: 0,
      ...(parent === undefined ? {} : { parent }),
    },
    revision: 1,
    sequence: 0,
    ready: true,
    waitingSince: createdAt,
    turn: 0,
    losses: 0,
    ...(key === undefined ? {} : { key }),
  };
}

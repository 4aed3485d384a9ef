import { z } from 'zod';
import { jobSchema, type Job, type JobRequest } from '../contracts/job';
import { AppError } from '../errors/app-error';

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

/** What stands in a store and is no record of this version: cut by a power failure, say, or written by another version. */
export interface UnreadableRecord {
  readonly id: string;
  readonly reason: string;
}

/** Puts records as they stand in a store on one of two lists, so that one that cannot be read hides no other. */
export function readRecords(stored: Iterable<readonly [id: string, text: string]>): {
  readonly records: JobRecord[];
  readonly unreadable: UnreadableRecord[];
} {
  const records: JobRecord[] = [];
  const unreadable: UnreadableRecord[] = [];
  for (const [id, text] of stored) {
    try {
      records.push(parseRecord(id, text));
    } catch (error) {
      unreadable.push({ id, reason: AppError.from(error).message });
    }
  }
  return { records: records.sort((a, b) => a.sequence - b.sequence), unreadable };
}

/**
 * A record as it stands in a store. Fields that this version does not know, as a newer one writes them, are passed over, and kept when
 * the record is changed.
 * @param id under which it stands
 * @throws AppError conflict
 */
export function parseRecord(id: string, text: string): JobRecord {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw unreadable(id, 'it is not JSON: cut, or overwritten');
  }
  const parsed = jobRecordSchema.safeParse(json);
  const issue = parsed.error?.issues.find(({ code }) => code !== 'unrecognized_keys');
  if (issue !== undefined) throw unreadable(id, `${issue.path.join('.')}: ${issue.message}`);
  const record = parsed.data ?? (json as JobRecord);
  if (record.job.id !== id) throw unreadable(id, `it is of the job ${record.job.id}`);
  return record;
}

const glimpseSchema = z.object({
  job: z.object({ id: z.string() }).optional().catch(undefined),
  key: z.string().optional().catch(undefined),
});

/** What can be told of a record even where the rest of it cannot be read. */
export function glimpse(text: string): {
  readonly id?: string | undefined;
  readonly key?: string | undefined;
} {
  try {
    const { job, key } = glimpseSchema.parse(JSON.parse(text));
    return { id: job?.id, key };
  } catch {
    return {};
  }
}

export function unreadable(id: string, what: string): AppError {
  return new AppError('conflict', `The record of job ${id} cannot be read by this version: ${what}.`);
}

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

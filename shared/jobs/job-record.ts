import { z } from 'zod';
import { jobSchema, type Job } from '../contracts/job';
import type { JobRequest } from '../contracts/job-kinds';
import { AppError } from '../errors/app-error';

/** A job with the fields that only its queue needs. */
const jobRecordSchema = z.strictObject({
  job: jobSchema,
  /** Increases with each change. A writer names the revision that it has read. */
  revision: z.int().positive(),
  /** Order of submission; not a time, because clocks may be set back. */
  sequence: z.int().min(0),
  /** True while work waits for a worker or is being done by one. */
  ready: z.boolean(),
  /**
   * Number of the step that is to be worked on: a parent has one before its children and one after them,
   * and a job that is resumed or put back begins another. The stored name is kept, so that older
   * versions of the service can share a queue with this one.
   */
  turn: z.int().min(0),
  /** Since when it is ready; absent in older records. */
  waitingSince: z.iso.datetime().optional(),
  /** Number of workers lost in a row without a new epoch. */
  losses: z.int().min(0),
  key: z.string().optional(),
});
export type JobRecord = z.infer<typeof jobRecordSchema>;

/**
 * A stored record that this version cannot read, for example after a power failure or from another
 * version.
 */
export interface UnreadableRecord {
  readonly id: string;
  readonly reason: string;
}

/** Parses stored records and separates those that cannot be read. */
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
 * Parses a stored record. Fields of a newer version are ignored here, and kept when the record is
 * changed.
 * @param id the id under which the record is stored
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

const idAndKeySchema = z.object({
  job: z.object({ id: z.string() }).optional().catch(undefined),
  key: z.string().optional().catch(undefined),
});

/** Reads the id and the idempotency key of a record of which the rest cannot be read. */
export function readIdAndKey(text: string): {
  readonly id?: string | undefined;
  readonly key?: string | undefined;
} {
  try {
    const { job, key } = idAndKeySchema.parse(JSON.parse(text));
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

/** Tells whether a record counts for the limit of waiting jobs; children do not. */
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

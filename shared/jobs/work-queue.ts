import { createRequire } from 'node:module';
import type Bull from 'bull';
import type Redis from 'ioredis';
import type { JobRecord } from './job-record';

/** The name of Bull's queue; its list is `bull:training:wait`. */
export const queueName = 'training';

interface WorkItem {
  /** The id of the job. */
  readonly id: string;
  /** The step of the job; the field has the name that it has in stored records. */
  readonly turn: number;
}
export type WorkQueue = Bull.Queue<WorkItem>;

/** Determines how soon a lost worker is noticed and how long an outage of Redis may last. */
export interface LockTimes {
  /**
   * A worker that does not renew its lock for this long loses the job. It must exceed an outage that is
   * to be survived (one minute) plus a renewal interval and the time to reconnect.
   */
  readonly lockDurationMs: number;
  /** The event loop is free because the child process computes; several renewals may fail. */
  readonly lockRenewMs: number;
  /** How often workers look for jobs with an expired lock. */
  readonly stalledIntervalMs: number;
}

export const lockTimes: LockTimes = {
  lockDurationMs: 90_000,
  lockRenewMs: 10_000,
  stalledIntervalMs: 15_000,
};

/** Loads Bull with the first queue; it takes 15 MB, which a service without Redis saves. */
function bull(): typeof Bull {
  return createRequire(__filename)('bull') as typeof Bull;
}

/** Opens Bull's queue. The record of a job, and not Bull, decides when a job with lost workers fails. */
export function openWorkQueue(
  connect: (type: 'client' | 'subscriber' | 'bclient') => Redis,
  { lockDurationMs, lockRenewMs, stalledIntervalMs }: LockTimes,
): WorkQueue {
  const Queue = bull();
  return new Queue<WorkItem>(queueName, {
    createClient: connect,
    settings: {
      lockDuration: lockDurationMs,
      lockRenewTime: lockRenewMs,
      stalledInterval: stalledIntervalMs,
      maxStalledCount: Number.MAX_SAFE_INTEGER,
    },
    defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
  });
}

/** Adds the work of a record to the queue; does nothing when the same step is queued already. */
export async function addWork(queue: WorkQueue, { job, turn }: JobRecord): Promise<void> {
  await queue.add({ id: job.id, turn }, { jobId: `${job.id}.${turn}` });
}

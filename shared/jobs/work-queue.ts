import { createRequire } from 'node:module';
import type Bull from 'bull';
import type Redis from 'ioredis';
import type { JobRecord } from './job-record';

/** Bull's list of what waits: `bull:training:wait`. */
export const queueName = 'training';

export interface WorkItem {
  readonly id: string;
  readonly turn: number;
}
export type WorkQueue = Bull.Queue<WorkItem>;

/** How soon a lost worker is noticed, and how long a lost Redis is borne. */
export interface LockTimes {
  /**
   * A worker that has not renewed its lock for so long has lost the job. Longer than an outage of Redis that must not make a second
   * worker begin (a minute), and the time to the renewal before it and to the connection after it.
   */
  readonly lockDurationMs: number;
  /** The job's process computes elsewhere, so that renewals are on time; several may fail. */
  readonly lockRenewMs: number;
  /** How often workers look for jobs whose lock is gone. */
  readonly stalledIntervalMs: number;
}

export const lockTimes: LockTimes = {
  lockDurationMs: 90_000,
  lockRenewMs: 10_000,
  stalledIntervalMs: 15_000,
};

/** Loaded with the first queue: it takes 15 MB, which a service without Redis does without. */
function bull(): typeof Bull {
  return createRequire(__filename)('bull') as typeof Bull;
}

/** Opens Bull's queue. Whether a job that keeps losing its workers is given up is decided by its record, not by Bull. */
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

/** Puts a record's work into the queue; a turn that is there already is not added again. */
export async function addWork(queue: WorkQueue, { job, turn }: JobRecord): Promise<void> {
  await queue.add({ id: job.id, turn }, { jobId: `${job.id}.${turn}` });
}

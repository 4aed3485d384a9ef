import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Job } from '../contracts/job';
import { AppError } from '../errors/app-error';
import { jobEvents } from './job-events';
import type { JobQueue } from './job-queue';
import { isEnded, newRecord, type JobRecord } from './job-record';
import { updateRecord, type WakeWorkers, type JobStore } from './job-store';
import { asQueued, settleParent } from './parent-job';

/** Maximum number of waiting jobs; `submit` refuses more. */
const maxWaiting = 256;

/** The operations on jobs that do not depend on where they are stored. */
export function createJobQueue(
  store: JobStore,
  wakeWorkers: WakeWorkers,
): Omit<JobQueue, 'close' | 'warnings'> {
  const existing = async (id: string): Promise<JobRecord> => {
    const record = await store.read(id);
    if (record === undefined) throw new AppError('not-found', `There is no job ${id}.`);
    return record;
  };
  return {
    async submit(request, key) {
      const wanted = newRecord(randomUUID(), request, key === undefined ? {} : { key });
      const record = await store.insert([wanted], maxWaiting);
      if (record === undefined) {
        throw new AppError(
          'overloaded',
          `${maxWaiting} jobs wait already: cancel some, or try again when they are done.`,
          { details: { retryAfterSeconds: 60 } },
        );
      }
      if (!isDeepStrictEqual(record.job.request, request)) {
        throw new AppError(
          'conflict',
          'This idempotency key came with another request before: use a new key for a new job.',
        );
      }
      if (record.ready) await wakeWorkers(record);
      return { job: record.job, created: record.job.id === wanted.job.id };
    },
    get: async (id) => (await existing(id)).job,
    async list({ state, limit = 100 } = {}) {
      const jobs = (await store.all()).records.map(({ job }) => job).reverse();
      return jobs.filter((job) => state === undefined || job.state === state).slice(0, limit);
    },
    unreadable: async () => (await store.all()).unreadable,
    async survey() {
      const { records } = await store.all();
      const since = records.flatMap(({ job, waitingSince = job.createdAt }) =>
        job.state === 'queued' ? [Date.parse(waitingSince)] : [],
      );
      const oldestWaiting = since.length === 0 ? undefined : new Date(Math.min(...since));
      return { jobs: records.map(({ job }) => job), oldestWaiting };
    },
    events: (id, options) => jobEvents(store, id, options),
    async cancel(id) {
      const record = await existing(id);
      const cancelled = await cancelRecord(store, id);
      if (cancelled === undefined) throw hasEnded((await existing(id)).job);
      for (const child of record.job.children ?? []) await cancelRecord(store, child);
      if (record.job.parent !== undefined) await settleParent(store, wakeWorkers, record.job.parent);
      return cancelled.job;
    },
    async resume(id) {
      const { job } = await existing(id);
      if (job.parent !== undefined) {
        throw new AppError(
          'conflict',
          `This job is a run of ${job.parent}: resume that one, and it goes on too.`,
        );
      }
      const resumed = await resumeRecord(store, id);
      if (resumed === undefined) {
        throw new AppError(
          'conflict',
          `The job is ${job.state}: only a cancelled or failed one can be resumed.`,
        );
      }
      for (const child of job.children ?? []) {
        const again = await resumeRecord(store, child);
        if (again !== undefined) await wakeWorkers(again);
      }
      if (resumed.ready) await wakeWorkers(resumed);
      else await settleParent(store, wakeWorkers, id);
      return resumed.job;
    },
  };
}

function hasEnded({ state }: Job): AppError {
  return new AppError('conflict', `The job is ${state} already.`);
}

async function cancelRecord(store: JobStore, id: string): Promise<JobRecord | undefined> {
  return updateRecord(store, id, (record) =>
    isEnded(record.job)
      ? undefined
      : {
          ...record,
          ready: false,
          job: { ...record.job, state: 'cancelled', finishedAt: new Date().toISOString() },
        },
  );
}

/**
 * Puts a record back into the queue. A parent with children waits for these; any other job waits for a
 * worker.
 */
async function resumeRecord(store: JobStore, id: string): Promise<JobRecord | undefined> {
  return updateRecord(store, id, (record) => {
    if (record.job.state !== 'cancelled' && record.job.state !== 'failed') return undefined;
    const again = asQueued(record);
    if (again.job.children === undefined) return again;
    return { ...again, ready: false, job: { ...again.job, state: 'running' } };
  });
}

import { isEnded } from './job-record';
import type { Announce, JobStore } from './job-store';
import { settleParent } from './parent-job';

/** Jobs that have ended and are kept, runs aside. */
const maxEnded = 1000;

/** Mends what a process that was killed between two steps has left: announces what is ready, settles parents, forgets the oldest. */
export async function tendJobs(store: JobStore, announce: Announce): Promise<void> {
  const records = await store.all();
  for (const record of records) if (record.ready) await announce(record);
  for (const { job, ready } of records) {
    if (job.children !== undefined && job.state === 'running' && !ready) {
      await settleParent(store, announce, job.id);
    }
  }
  const ended = records.filter(({ job }) => job.parent === undefined && isEnded(job));
  const old = ended.slice(0, Math.max(0, ended.length - maxEnded));
  if (old.length > 0) await store.remove(old.flatMap(({ job }) => [job.id, ...(job.children ?? [])]));
}

import { isEnded } from './job-record';
import type { Announce, JobStore } from './job-store';
import { settleParent } from './parent-job';
import { sweepRuns, type Leftovers } from './sweep-runs';

/** How often folders of jobs are looked at that may be of no more use. */
const sweepMs = 600_000;

/** Tends jobs when called and every now and then, and sweeps up what they leave; a sweep that fails comes again. */
export function createTending(
  store: JobStore,
  announce: Announce,
  leftovers?: Leftovers,
): { tend(): Promise<void> } {
  let nextSweepMs = 0;
  return {
    async tend() {
      await tendJobs(store, announce);
      if (leftovers === undefined || performance.now() < nextSweepMs) return;
      await sweepRuns(store, leftovers, new Date());
      nextSweepMs = performance.now() + sweepMs;
    },
  };
}

/** Jobs that have ended and are kept, runs aside. */
const maxEnded = 1000;

/** Mends what a process that was killed between two steps has left: announces what is ready, settles parents, forgets the oldest. */
export async function tendJobs(store: JobStore, announce: Announce): Promise<void> {
  const { records } = await store.all();
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

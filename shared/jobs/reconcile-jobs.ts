import { isEnded } from './job-record';
import type { WakeWorkers, JobStore } from './job-store';
import { settleParent } from './parent-job';
import { sweepRuns, type Leftovers } from './sweep-runs';

/** How often folders of jobs are looked at that may be of no more use. */
const sweepMs = 600_000;

/** Reconciles jobs when called, and at most every ten minutes removes what they leave; a sweep that fails is tried again. */
export function createReconciler(
  store: JobStore,
  wakeWorkers: WakeWorkers,
  leftovers?: Leftovers,
): { reconcile(): Promise<void> } {
  let nextSweepMs = 0;
  return {
    async reconcile() {
      await reconcileJobs(store, wakeWorkers);
      if (leftovers === undefined || performance.now() < nextSweepMs) return;
      await sweepRuns(store, leftovers, new Date());
      nextSweepMs = performance.now() + sweepMs;
    },
  };
}

/** Jobs that have ended and are kept, runs aside. */
const maxEnded = 1000;

/** Mends what a process that was killed between two steps has left: wakes workers for what is ready, settles parents, removes the oldest. */
export async function reconcileJobs(store: JobStore, wakeWorkers: WakeWorkers): Promise<void> {
  const { records } = await store.all();
  for (const record of records) if (record.ready) await wakeWorkers(record);
  for (const { job, ready } of records) {
    if (job.children !== undefined && job.state === 'running' && !ready) {
      await settleParent(store, wakeWorkers, job.id);
    }
  }
  const ended = records.filter(({ job }) => job.parent === undefined && isEnded(job));
  const old = ended.slice(0, Math.max(0, ended.length - maxEnded));
  if (old.length > 0) await store.remove(old.flatMap(({ job }) => [job.id, ...(job.children ?? [])]));
}

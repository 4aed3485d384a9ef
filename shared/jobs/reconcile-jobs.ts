import { isEnded } from './job-record';
import type { WakeWorkers, JobStore } from './job-store';
import { settleParent } from './parent-job';
import { sweepRuns, type RunRetention } from './sweep-runs';

/** Interval at which folders of jobs are checked for removal. */
const sweepMs = 600_000;

/**
 * Returns an object that reconciles jobs when called, and at most every ten minutes removes old folders.
 * A sweep that fails is tried again.
 */
export function createReconciler(
  store: JobStore,
  wakeWorkers: WakeWorkers,
  retention?: RunRetention,
): { reconcile(): Promise<void> } {
  let nextSweepMs = 0;
  return {
    async reconcile() {
      await reconcileJobs(store, wakeWorkers);
      if (retention === undefined || performance.now() < nextSweepMs) return;
      await sweepRuns(store, retention, new Date());
      nextSweepMs = performance.now() + sweepMs;
    },
  };
}

/** Maximum number of ended jobs that are kept, not counting children. */
const maxEnded = 1000;

/**
 * Repairs what a process that was killed between two steps has left: wakes workers for ready jobs,
 * settles parents, and removes the oldest ended jobs.
 */
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

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../observability/logger';
import type { StartRun } from './child-run';
import { startInBackground } from '../runtime/processes/start-in-background';
import { createJobQueue } from './create-job-queue';
import { executeJob, type WorkerContext } from './execute-job';
import { openFileStore } from './file-store';
import type { JobQueue } from './job-queue';
import type { WakeWorkers } from './job-store';
import { livingProcess, lockForProcess } from '../runtime/processes/process-lock';
import { noteChild } from './note-child';
import type { RunRetention } from './sweep-runs';
import { createReconciler, reconcileJobs } from './reconcile-jobs';
import { warnOfUnreadable } from './warn-of-unreadable';

/** Interval of the reconciliation. */
const reconcileIntervalMs = 30_000;

export interface EmbeddedQueueOptions {
  readonly startRun: StartRun;
  readonly logger: Logger;
  readonly maxLosses?: number;
  readonly retention?: RunRetention;
}

/**
 * Opens the queue whose jobs are on disk; child processes of this process run them one at a time.
 * @param folder holds the jobs, a lock, and the id of the running child
 * @throws AppError conflict when another process uses the folder, invalid-configuration
 */
export async function createEmbeddedQueue(
  folder: string,
  { startRun, logger, maxLosses = 10, retention }: EmbeddedQueueOptions,
): Promise<JobQueue> {
  const unlock = await lockForProcess(join(folder, 'owner.lock'), 'JOBS_DIR');
  const childFile = join(folder, 'child.lock');
  try {
    await endOrphan(childFile);
    const store = warnOfUnreadable(await openFileStore(folder), logger);
    const stop = new AbortController();
    /** The step that waits of each job. */
    const waiting = new Map<string, number>();
    let working: Promise<void> | undefined;
    const work = async (): Promise<void> => {
      for (let next = first(waiting); next !== undefined && !stop.signal.aborted; next = first(waiting)) {
        const [id, step] = next;
        waiting.delete(id);
        try {
          await executeJob(id, step, context);
        } catch (error) {
          // For example, the disk is full. The job stays ready, and the reconciliation announces it
          // again.
          logger.error({ job: id, err: error }, 'a job could not be worked on');
        }
      }
      working = undefined;
    };
    const wakeWorkers: WakeWorkers = ({ job, turn: step }) => {
      if (!stop.signal.aborted) {
        waiting.set(job.id, step);
        // Starts in a later iteration of the event loop: the caller finishes what it is doing first.
        working ??= startInBackground(Promise.resolve().then(work));
      }
      return Promise.resolve();
    };
    const context: WorkerContext = {
      store,
      wakeWorkers,
      startRun: (order, onProgress) => noteChild(startRun(order, onProgress), childFile),
      logger,
      signal: stop.signal,
      maxLosses,
    };
    const reconciler = createReconciler(store, wakeWorkers, retention);
    const reconcile = (): void => {
      reconciler.reconcile().catch((error: unknown) => {
        logger.error({ err: error }, 'jobs could not be looked after');
      });
    };
    await reconcileJobs(store, wakeWorkers);
    reconcile();
    const timer = setInterval(reconcile, reconcileIntervalMs).unref();
    return {
      ...createJobQueue(store, wakeWorkers),
      warnings: () => [],
      async close() {
        stop.abort();
        clearInterval(timer);
        await working;
        await unlock();
      },
    };
  } catch (error) {
    await unlock();
    throw error;
  }
}

function first(waiting: ReadonlyMap<string, number>): [string, number] | undefined {
  return waiting.entries().next().value;
}

/**
 * Kills the child that a killed process left. The child would stop by itself between two batches, but
 * the queue does not wait for that.
 */
async function endOrphan(childFile: string): Promise<void> {
  for (
    let orphan = await livingProcess(childFile);
    orphan !== undefined;
    orphan = await livingProcess(childFile)
  ) {
    process.kill(orphan.pid, 'SIGKILL');
    await delay(10);
  }
  await rm(childFile, { force: true });
}

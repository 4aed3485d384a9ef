import type { Logger } from '../observability/logger';
import type { StartRun } from './child-run';
import { isEnded, type JobRecord } from './job-record';
import { updateRecord, type WakeWorkers, type JobStore } from './job-store';
import { createLatest } from './latest';
import { addChildren, asReady, settleParent } from './parent-job';
import type { RunOutcome } from './run-messages';

export interface WorkerContext {
  readonly store: JobStore;
  readonly wakeWorkers: WakeWorkers;
  readonly startRun: StartRun;
  readonly logger: Logger;
  /** Aborts when the worker is to stop. The job that it works on goes back into the queue. */
  readonly signal: AbortSignal;
  /** A job fails after this many lost attempts in a row without a new epoch. */
  readonly maxLosses: number;
}

/**
 * Works on a step of a job until the job has ended, waits for its children, or belongs to another
 * worker. The number of the attempt is the fencing token: a worker with another number can change
 * neither the record nor the run folder.
 */
export async function executeJob(id: string, step: number, context: WorkerContext): Promise<void> {
  const { store, wakeWorkers, signal, logger } = context;
  for (;;) {
    const record = signal.aborted ? undefined : await take(id, step, context);
    if (record === undefined) return;
    if (isEnded(record.job)) {
      if (record.job.parent !== undefined) await settleParent(store, wakeWorkers, record.job.parent);
      return;
    }
    const outcome = await attempt(record, context);
    logger.info({ job: id, attempt: record.job.attempts, outcome: outcome.type }, 'a job: attempt ended');
    if (outcome.type !== 'lost') {
      await conclude(record, outcome, context);
      return;
    }
    logger.warn({ job: id, reason: outcome.reason }, 'a job: its process was lost');
  }
}

/**
 * Begins an attempt.
 * @returns the changed record: running, or failed after too many losses; undefined where there is
 * nothing to do
 */
async function take(
  id: string,
  step: number,
  { store, maxLosses }: WorkerContext,
): Promise<JobRecord | undefined> {
  const parentId = (await store.read(id))?.job.parent;
  const parent = parentId === undefined ? undefined : await store.read(parentId);
  return updateRecord(store, id, (record) => {
    const { job } = record;
    if (!record.ready || record.turn !== step) return undefined;
    const finishedAt = new Date().toISOString();
    if (parent !== undefined && isEnded(parent.job)) {
      return { ...record, ready: false, job: { ...job, state: 'cancelled', finishedAt } };
    }
    // The last step of a parent follows its children, so it does not count as a lost attempt.
    const losses = job.state === 'running' && job.attempts > 0 ? record.losses + 1 : 0;
    if (losses > maxLosses) {
      const message = `Its process was lost ${losses} times in a row without finishing an epoch: see the trainer's log; too little memory is the usual cause.`;
      const error = { code: 'internal', message };
      return { ...record, ready: false, job: { ...job, state: 'failed', finishedAt, error } };
    }
    const startedAt = job.startedAt ?? new Date().toISOString();
    return { ...record, losses, job: { ...job, state: 'running', startedAt, attempts: job.attempts + 1 } };
  });
}

function isMine(record: JobRecord, attempts: number): boolean {
  return record.job.state === 'running' && record.ready && record.job.attempts === attempts;
}

async function attempt({ job }: JobRecord, context: WorkerContext): Promise<RunOutcome> {
  const { store, startRun, signal, logger } = context;
  // An update that fails (no room, for example) is not lost: the next update or the end contains it.
  const ignoreFailedUpdate = (error: unknown): void => {
    logger.warn({ job: job.id, err: error }, 'a job: its state could not be read or written');
  };
  const children = await Promise.all((job.children ?? []).map((child) => store.read(child)));
  // While the store cannot be reached, the run continues and the latest progress waits.
  const report = createLatest<JobRecord['job']['progress']>(async (progress) => {
    const reported = await updateRecord(store, job.id, (record) =>
      isMine(record, job.attempts)
        ? { ...record, losses: 0, job: withProgress(record.job, progress) }
        : undefined,
    );
    if (reported === undefined) run.stop();
  }, ignoreFailedUpdate);
  const run = startRun({ job, children: children.flatMap((child) => child?.job ?? []) }, report.put);
  const stop = (): void => {
    run.stop();
  };
  const check = createLatest<true>(async () => {
    const record = await store.read(job.id);
    if (record === undefined || !isMine(record, job.attempts)) run.stop();
  }, ignoreFailedUpdate);
  const unwatch = store.watch((changed) => {
    if (changed === undefined || changed === job.id) check.put(true);
  });
  signal.addEventListener('abort', stop);
  // Checks once for a change that came before the watch began.
  check.put(true);
  if (signal.aborted) run.stop();
  try {
    return await run.outcome;
  } finally {
    unwatch();
    signal.removeEventListener('abort', stop);
    await Promise.all([report.idle(), check.idle()]);
  }
}

function withProgress(job: JobRecord['job'], progress: JobRecord['job']['progress']): JobRecord['job'] {
  return progress === undefined ? job : { ...job, progress };
}

async function conclude(
  { job: { id, parent, attempts } }: JobRecord,
  outcome: Exclude<RunOutcome, { type: 'lost' }>,
  { store, wakeWorkers }: WorkerContext,
): Promise<void> {
  if (outcome.type === 'planned') {
    await addChildren(store, wakeWorkers, { id, attempt: attempts }, outcome.runs);
    return;
  }
  const ended = await updateRecord(store, id, (record) => {
    if (!isMine(record, attempts)) return undefined;
    const { job } = record;
    const finishedAt = new Date().toISOString();
    switch (outcome.type) {
      case 'finished':
        return {
          ...record,
          ready: false,
          job: { ...job, state: 'finished', finishedAt, result: outcome.result },
        };
      case 'failed': {
        const error = { code: outcome.code, message: outcome.message };
        return { ...record, ready: false, job: { ...job, state: 'failed', finishedAt, error } };
      }
      case 'stopped':
        return asReady({
          ...record,
          job: { ...job, state: job.children === undefined ? 'queued' : 'running' },
        });
    }
  });
  if (ended?.ready === true) await wakeWorkers(ended);
  if (parent !== undefined) await settleParent(store, wakeWorkers, parent);
}

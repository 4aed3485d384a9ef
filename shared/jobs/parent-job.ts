import type { JobRequest } from '../contracts/job-kinds';
import { isEnded, newRecord, type JobRecord } from './job-record';
import { updateRecord, type WakeWorkers, type JobStore } from './job-store';

/** Returns the record as ready to be worked on. */
export function asReady(record: JobRecord): JobRecord {
  const waitingSince = new Date().toISOString();
  return { ...record, ready: true, waitingSince, turn: record.turn + 1, losses: 0 };
}

/** Returns an ended job as queued, without the fields that its end set. */
export function asQueued(record: JobRecord): JobRecord {
  const job = { ...record.job, state: 'queued' as const };
  delete job.error;
  delete job.finishedAt;
  return asReady({ ...record, job });
}

/** Adds the children of a parent job. A repetition (after a lost worker) adds nothing. */
export async function addChildren(
  store: JobStore,
  wakeWorkers: WakeWorkers,
  parent: { readonly id: string; readonly attempt: number },
  runs: readonly JobRequest[],
): Promise<void> {
  const records = runs.map((request, index) =>
    newRecord(`${parent.id}-${index + 1}`, request, { parent: parent.id }),
  );
  await store.insert(records);
  const children = records.map(({ job }) => job.id);
  const changed = await updateRecord(store, parent.id, (record) =>
    record.job.state === 'running' && record.job.attempts === parent.attempt
      ? { ...record, ready: false, job: { ...record.job, children } }
      : undefined,
  );
  if (changed === undefined) return;
  for (const id of children) {
    const child = await store.read(id);
    if (child?.ready === true) await wakeWorkers(child);
  }
}

/**
 * Continues a parent when its last child has ended: the last step becomes ready, or the parent fails
 * with the reason.
 */
export async function settleParent(store: JobStore, wakeWorkers: WakeWorkers, id: string): Promise<void> {
  const parent = await store.read(id);
  if (parent?.job.children === undefined || parent.job.state !== 'running' || parent.ready) return;
  const children = await Promise.all(parent.job.children.map((child) => store.read(child)));
  if (!children.every((child) => child !== undefined && isEnded(child.job))) return;
  const unfinished = children.flatMap((child) =>
    child === undefined || child.job.state === 'finished' ? [] : [child.job],
  );
  const settled = await updateRecord(store, id, (record) => {
    if (record.revision !== parent.revision) return undefined; // another worker settled or cancelled it
    if (unfinished.length === 0) return asReady(record);
    const names = unfinished.map((child) => `${child.id} ${child.state}`).join(', ');
    const message = `${unfinished.length} of ${children.length} runs did not finish: ${names}. Resume this job to repeat only those.`;
    const error = { code: unfinished[0]!.error?.code ?? 'cancelled', message };
    return {
      ...record,
      job: { ...record.job, state: 'failed', error, finishedAt: new Date().toISOString() },
    };
  });
  if (settled?.ready === true) await wakeWorkers(settled);
}

import type { JobRecord, UnreadableRecord } from './job-record';

export interface StoredRecords {
  /** In the order of submission. */
  readonly records: readonly JobRecord[];
  readonly unreadable: readonly UnreadableRecord[];
}

/** Where records are kept. What a method has answered outlives this process. @throws AppError unreachable, storage-full */
export interface JobStore {
  /**
   * Adds records that are not there yet and gives them their place in the order; those that are there stay as they are.
   * @param maxWaiting nothing is added where so many jobs wait (`waitsAsJob`) already
   * @returns the first one; where its key is known already, the one that has the key, and nothing is added; undefined: too many wait
   */
  insert(records: readonly JobRecord[], maxWaiting?: number): Promise<JobRecord | undefined>;
  /** @throws AppError conflict: there is one that this version cannot read */
  read(id: string): Promise<JobRecord | undefined>;
  all(): Promise<StoredRecords>;
  /** Puts a record in the place of the revision before it. @returns false when another change came first */
  replace(record: JobRecord): Promise<boolean>;
  remove(ids: readonly string[]): Promise<void>;
  /** Tells of changes; undefined: some may have been missed. @returns stops it */
  watch(listener: (id: string | undefined) => void): () => void;
}

/** Tells workers that a job is ready. Told twice, it is worked on once; forgotten, it is told again (`reconcileJobs`). */
export type WakeWorkers = (record: JobRecord) => Promise<void>;

/**
 * Changes a record, whoever else changes it meanwhile.
 * @param change from the record as it is; undefined leaves it
 * @returns the changed record, or undefined when there is none or it was left
 */
export async function updateRecord(
  store: JobStore,
  id: string,
  change: (record: JobRecord) => Omit<JobRecord, 'revision'> | undefined,
): Promise<JobRecord | undefined> {
  for (;;) {
    const before = await store.read(id);
    const changed = before && change(before);
    if (before === undefined || changed === undefined) return undefined;
    const record = { ...changed, revision: before.revision + 1 };
    if (await store.replace(record)) return record;
  }
}

import type { JobRecord, UnreadableRecord } from './job-record';

interface StoredRecords {
  /** The records, in the order of submission. */
  readonly records: readonly JobRecord[];
  readonly unreadable: readonly UnreadableRecord[];
}

/**
 * Stores job records. What a method has returned survives the end of this process.
 * @throws AppError unreachable, storage-full
 */
export interface JobStore {
  /**
   * Adds new records and gives them their sequence numbers; records that exist are not changed.
   * @param maxWaiting nothing is added when this many jobs wait already (`waitsAsJob`)
   * @returns the first record; where its key is known, the existing record with that key, and nothing is
   * added; undefined when too many jobs wait
   */
  insert(records: readonly JobRecord[], maxWaiting?: number): Promise<JobRecord | undefined>;
  /** @throws AppError conflict for a record that this version cannot read */
  read(id: string): Promise<JobRecord | undefined>;
  all(): Promise<StoredRecords>;
  /**
   * Replaces the previous revision of a record.
   * @returns false when another change came first
   */
  replace(record: JobRecord): Promise<boolean>;
  remove(ids: readonly string[]): Promise<void>;
  /**
   * Reports changes by id; undefined: changes may have been missed.
   * @returns a function that stops it
   */
  watch(listener: (id: string | undefined) => void): () => void;
}

/**
 * Tells workers that a job is ready. A repeated call starts it only once; a lost call is repeated by
 * `reconcileJobs`.
 */
export type WakeWorkers = (record: JobRecord) => Promise<void>;

/**
 * Changes a record, and repeats that when another writer changes it meanwhile.
 * @param change computes the new record from the current one; undefined leaves it unchanged
 * @returns the changed record; undefined when there is none or it was left unchanged
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

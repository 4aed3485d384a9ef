import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, isDiskFull } from '../errors/app-error';
import { removeLeftovers, writeFileAtomically } from '../registry/write-atomically';
import { jobRecordSchema, waitsAsJob, type JobRecord } from './job-record';
import type { JobStore } from './job-store';

/**
 * Records in a folder, a file each, synced before a method answers; what a process killed on the way leaves is the old file or the new.
 * One process may have the folder at a time.
 * @throws AppError invalid-configuration when a file is none of ours
 */
export async function openFileStore(folder: string): Promise<JobStore> {
  await mkdir(folder, { recursive: true });
  await removeLeftovers(folder);
  const records = await loadRecords(folder);
  const byKey = new Map<string, string>();
  const waiting = new Set<string>();
  const index = (record: JobRecord): void => {
    const { id } = record.job;
    if (record.key !== undefined) byKey.set(record.key, id);
    if (waitsAsJob(record)) waiting.add(id);
    else waiting.delete(id);
  };
  for (const record of records.values()) index(record);
  const listeners = new Set<(id: string | undefined) => void>();
  const fileOf = (id: string): string => join(folder, `${id}.json`);
  let sequence = Math.max(0, ...[...records.values()].map((record) => record.sequence));
  let writing: Promise<unknown> = Promise.resolve();

  /** One change at a time: who reads sees what is on disk. */
  const exclusively = <T>(change: () => Promise<T>): Promise<T> => {
    const result = writing.then(change);
    writing = result.catch(() => undefined);
    return result;
  };
  const write = async (record: JobRecord): Promise<void> => {
    const { id } = record.job;
    await writeFileAtomically(fileOf(id), `${JSON.stringify(record)}\n`).catch((cause: unknown) => {
      const message = `The job could not be written to disk: ${(cause as Error).message}`;
      throw new AppError(isDiskFull(cause) ? 'storage-full' : 'unreachable', message, { cause });
    });
    records.set(id, record);
    index(record);
    for (const listener of listeners) listener(id);
  };

  return {
    insert: (added, maxWaiting = Infinity) =>
      exclusively(async () => {
        const known = byKey.get(added[0]?.key ?? '');
        if (known !== undefined) return records.get(known);
        if (waiting.size >= maxWaiting) return undefined;
        for (const record of added) {
          if (!records.has(record.job.id)) await write({ ...record, sequence: ++sequence });
        }
        return records.get(added[0]!.job.id)!;
      }),
    read: (id) => Promise.resolve(records.get(id)),
    all: () => Promise.resolve([...records.values()].sort((a, b) => a.sequence - b.sequence)),
    replace: (record) =>
      exclusively(async () => {
        if (records.get(record.job.id)?.revision !== record.revision - 1) return false;
        await write(record);
        return true;
      }),
    remove: (ids) =>
      exclusively(async () => {
        for (const id of ids) {
          await rm(fileOf(id), { force: true });
          const key = records.get(id)?.key;
          if (key !== undefined) byKey.delete(key);
          waiting.delete(id);
          records.delete(id);
        }
      }),
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

async function loadRecords(folder: string): Promise<Map<string, JobRecord>> {
  const records = new Map<string, JobRecord>();
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.json')) continue;
    const file = join(folder, name);
    try {
      const record = jobRecordSchema.parse(JSON.parse(await readFile(file, 'utf8')));
      records.set(record.job.id, record);
    } catch (cause) {
      throw new AppError(
        'invalid-configuration',
        `${file} is no job of this version: move it away, and start again.`,
        { cause },
      );
    }
  }
  return records;
}

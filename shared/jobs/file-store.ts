import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, isDiskFull } from '../errors/app-error';
import { isShortage } from '../errors/machine-fault';
import { removeLeftovers, writeFileAtomically } from '../runtime/write-atomically';
import {
  readIdAndKey,
  readRecords,
  unreadable as unreadableRecord,
  waitsAsJob,
  type JobRecord,
  type UnreadableRecord,
} from './job-record';
import type { JobStore } from './job-store';

/**
 * Opens a store with one file per record. Each file is synced before a method returns; a killed process
 * leaves the old or the new file. Only one process may use the folder. A file that this version cannot
 * read stays unchanged and does not affect others.
 * @throws the file system's error
 */
export async function openFileStore(folder: string): Promise<JobStore> {
  await mkdir(folder, { recursive: true });
  await removeLeftovers(folder);
  const { records, unreadable, keys: byKey } = await loadRecords(folder);
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
  const readable = (id: string): JobRecord | undefined => {
    const reason = unreadable.get(id)?.reason;
    if (reason !== undefined) throw new AppError('conflict', reason);
    return records.get(id);
  };
  let sequence = Math.max(0, ...[...records.values()].map((record) => record.sequence));
  let writing: Promise<unknown> = Promise.resolve();

  /** Runs one change at a time, so that readers see what is on disk. */
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
        if (known !== undefined) return readable(known);
        if (waiting.size >= maxWaiting) return undefined;
        for (const record of added) {
          if (readable(record.job.id) === undefined) await write({ ...record, sequence: ++sequence });
        }
        return records.get(added[0]!.job.id)!;
      }),
    read: async (id) => Promise.resolve(readable(id)),
    all: () =>
      Promise.resolve({
        records: [...records.values()].sort((a, b) => a.sequence - b.sequence),
        unreadable: [...unreadable.values()],
      }),
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

interface Loaded {
  readonly records: Map<string, JobRecord>;
  readonly unreadable: Map<string, UnreadableRecord>;
  /** Idempotency keys of the unreadable records, where they can be found: id by key. */
  readonly keys: Map<string, string>;
}

async function loadRecords(folder: string): Promise<Loaded> {
  const texts = new Map<string, string>();
  const unreadable = new Map<string, UnreadableRecord>();
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.json')) continue;
    const id = name.slice(0, -'.json'.length);
    try {
      texts.set(id, await readFile(join(folder, name), 'utf8'));
    } catch (error) {
      if (isShortage(error)) throw error;
      const { code = 'no file' } = error as NodeJS.ErrnoException;
      unreadable.set(id, { id, reason: unreadableRecord(id, code).message });
    }
  }
  const read = readRecords(texts);
  for (const found of read.unreadable) unreadable.set(found.id, found);
  const records = new Map(read.records.map((record) => [record.job.id, record]));
  const keys = new Map<string, string>();
  for (const { id } of read.unreadable) {
    const { key } = readIdAndKey(texts.get(id)!);
    if (key !== undefined) keys.set(key, id);
  }
  return { records, unreadable, keys };
}

import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../errors/app-error';
import { ifAbsent } from '../errors/machine-fault';
import { attemptsFolder } from './attempt-folders';
import type { JobStore } from './job-store';

/** Folders that jobs leave, and how long they are kept after the end of a job. */
export interface RunRetention {
  /** RUNS_DIR: states and learning curves, one folder per job. */
  readonly runsFolder: string;
  /** MODELS_DIR: records which attempt owns each job. */
  readonly modelsFolder: string;
  readonly keepMs: number;
}

/**
 * Removes the folders of jobs that finished more than `keepMs` ago. A failed or cancelled job may be
 * resumed, so its folder stays until the record is removed (`reconcileJobs`), and then for `keepMs`
 * after the last change in it.
 */
export async function sweepRuns(
  store: JobStore,
  { runsFolder, modelsFolder, keepMs }: RunRetention,
  now: Date,
): Promise<void> {
  for (const folder of [jobRunsFolder(runsFolder), attemptsFolder(modelsFolder)]) {
    for (const name of await readdir(folder).catch(ifAbsent([]))) {
      const endedMs = await lastNeededMs(store, name, join(folder, name)).catch(keepUnreadable);
      if (endedMs !== undefined && now.getTime() - endedMs >= keepMs) {
        await rm(join(folder, name), { recursive: true, force: true });
      }
    }
  }
}

/** Returns the folder of a job's runs, including those of its children. */
export function jobRunsFolder(runsFolder: string, id = ''): string {
  return join(runsFolder, 'jobs', id);
}

/**
 * Keeps the folder of a job whose record this version cannot read.
 * @throws any other error
 */
function keepUnreadable(error: unknown): undefined {
  if (AppError.from(error).code !== 'conflict') throw error;
}

/**
 * Returns when a folder was needed last, in milliseconds since 1970; undefined while it is still needed.
 */
async function lastNeededMs(store: JobStore, id: string, folder: string): Promise<number | undefined> {
  const record = await store.read(id);
  if (record === undefined) return (await stat(folder).catch(() => undefined))?.mtimeMs;
  const { parent: parentId, state, finishedAt } = record.job;
  const parent = parentId === undefined ? undefined : await store.read(parentId);
  // The folder of a child is needed for as long as its parent may be resumed.
  if (state !== 'finished' || (parent !== undefined && parent.job.state !== 'finished')) return undefined;
  return Date.parse(parent?.job.finishedAt ?? finishedAt ?? '');
}

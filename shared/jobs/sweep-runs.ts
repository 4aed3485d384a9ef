import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../errors/app-error';
import { ifAbsent } from '../errors/machine-fault';
import { attemptsFolder } from './attempt-folders';
import type { JobStore } from './job-store';

/** Where jobs leave what they need no more, and how long that is kept. */
export interface Leftovers {
  /** RUNS_DIR: states and curves of jobs' runs, a folder a job. */
  readonly runsFolder: string;
  /** MODELS_DIR: which attempt has a job. */
  readonly modelsFolder: string;
  readonly keepMs: number;
}

/**
 * Removes the folders of jobs that finished so long ago. One that failed or was cancelled may be resumed, and so keeps its folder until
 * the job itself is forgotten (`reconcileJobs`), and then for as long after the last thing that happened in it.
 */
export async function sweepRuns(
  store: JobStore,
  { runsFolder, modelsFolder, keepMs }: Leftovers,
  now: Date,
): Promise<void> {
  for (const folder of [jobRunsFolder(runsFolder), attemptsFolder(modelsFolder)]) {
    for (const name of await readdir(folder).catch(ifAbsent([]))) {
      const endedMs = await whenNeededLast(store, name, join(folder, name)).catch(neededStill);
      if (endedMs !== undefined && now.getTime() - endedMs >= keepMs) {
        await rm(join(folder, name), { recursive: true, force: true });
      }
    }
  }
}

/** A folder a job, with the runs of its children. */
export function jobRunsFolder(runsFolder: string, id = ''): string {
  return join(runsFolder, 'jobs', id);
}

/** Of a job whose record this version cannot read, nobody knows. @throws any other error */
function neededStill(error: unknown): undefined {
  if (AppError.from(error).code !== 'conflict') throw error;
}

/** Undefined: it still is. */
async function whenNeededLast(store: JobStore, id: string, folder: string): Promise<number | undefined> {
  const record = await store.read(id);
  if (record === undefined) return (await stat(folder).catch(() => undefined))?.mtimeMs;
  const { parent: parentId, state, finishedAt } = record.job;
  const parent = parentId === undefined ? undefined : await store.read(parentId);
  // A run's mark is needed for as long as its parent may be resumed.
  if (state !== 'finished' || (parent !== undefined && parent.job.state !== 'finished')) return undefined;
  return Date.parse(parent?.job.finishedAt ?? finishedAt ?? '');
}

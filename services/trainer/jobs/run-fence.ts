import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../../shared/errors/app-error';
import { attemptsFolder } from '../../../shared/jobs/attempt-folders';
import type { Fence } from '../runs/fence';

/**
 * Makes a job this attempt's. A worker that was taken for lost, and lives, has an earlier one: its child
 * finds the later attempt's folder before it saves or publishes, and stops. Should it be held up just
 * between that look and the writing, the writing itself changes nothing: a run's files have the attempt
 * in their names (`openRunStore`), and a version is put together in the attempt's folder, which is not
 * where it was any more.
 * @throws AppError conflict when a later attempt has the job
 */
export async function raiseFence(modelsFolder: string, id: string, attempt: number): Promise<Fence> {
  const folder = attemptsFolder(modelsFolder, id);
  const scratchFolder = join(folder, String(attempt));
  const assertMine = async (): Promise<void> => {
    if ((await attempts(folder)).every((other) => other <= attempt)) return;
    throw new AppError('conflict', `Attempt ${attempt} of this job was overtaken by a later one.`);
  };
  // First to be seen, then to look: of two that begin at once at least one sees the other.
  await mkdir(scratchFolder, { recursive: true });
  await assertMine();
  for (const earlier of (await attempts(folder)).filter((other) => other < attempt)) {
    await rename(join(folder, String(earlier)), join(scratchFolder, `.${earlier}`)).catch(ignoreGone);
  }
  for (const left of await readdir(scratchFolder)) {
    await rm(join(scratchFolder, left), { recursive: true, force: true });
  }
  return { attempt, scratchFolder, assertMine };
}

async function attempts(folder: string): Promise<number[]> {
  return (await readdir(folder)).map(Number);
}

function ignoreGone(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}

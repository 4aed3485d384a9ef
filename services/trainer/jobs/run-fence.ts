import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../../shared/errors/app-error';
import { writeFileAtomically } from '../../../shared/registry/write-atomically';

/**
 * Marks a job's folder as this attempt's. A worker that was taken for lost, and lives, has an earlier one: its child finds the mark
 * before it saves an epoch or publishes, and stops.
 * @returns throws AppError conflict when a later attempt has the folder
 */
export async function raiseFence(folder: string, id: string, attempt: number): Promise<() => Promise<void>> {
  const file = join(folder, `${id}.attempt`);
  await mkdir(folder, { recursive: true });
  const latest = async (): Promise<number> => Number(await readFile(file, 'utf8').catch(() => '0'));
  const assertMine = async (): Promise<void> => {
    if ((await latest()) > attempt) {
      throw new AppError('conflict', `Attempt ${attempt} of this job was overtaken by a later one.`);
    }
  };
  await assertMine();
  await writeFileAtomically(file, String(attempt));
  return assertMine;
}

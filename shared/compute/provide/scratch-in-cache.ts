import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../errors/app-error';
import { createScratchFolder, sweepScratchFolders } from '../../runtime/scratch-folder';

/**
 * A fresh folder in a cache, for what is to be kept there; those that killed processes left are taken
 * away.
 * @param prefix how its name begins
 * @param what is to be kept, for people
 * @throws AppError engine-unavailable that names what to set, with the file system's error as cause,
 *   where none can be made
 */
export async function scratchInCache(cacheFolder: string, prefix: string, what: string): Promise<string> {
  try {
    await mkdir(cacheFolder, { recursive: true });
    await sweepScratchFolders(join(cacheFolder, prefix));
    return await createScratchFolder(join(cacheFolder, prefix));
  } catch (cause) {
    const reason = (cause as Error).message;
    const advice = 'Set XDG_CACHE_HOME to a folder that this user may write, or use an image that has it.';
    throw new AppError('engine-unavailable', `${what} cannot be kept: ${reason}. ${advice}`, { cause });
  }
}

import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';

/**
 * Folders for temporary files. A killed process leaves its folders behind. Their names contain the host
 * and the process id of their owner, so that another process can find and remove them.
 */

/**
 * Age after which a folder of another machine or container counts as abandoned: its owner's process
 * cannot be checked from here.
 */
const abandonedMs = 60 * 60_000;

/** The name of the machine or container, as part of a folder's name. */
const ownHost = hostname()
  .replaceAll(/[^\w.]/g, '_')
  .slice(0, 64);

/**
 * Creates a folder that `sweepScratchFolders` removes once this process is gone.
 * @param prefix absolute path with which the folder's name begins; its parent must exist.
 * @returns the path of the new folder
 * @throws the file system's error
 */
export async function createScratchFolder(prefix: string): Promise<string> {
  return mkdtemp(`${prefix}${ownHost}-${process.pid}-`);
}

/** Removes folders whose owner process is gone. A folder that cannot be removed stays. */
export async function sweepScratchFolders(prefix: string): Promise<void> {
  const folder = dirname(prefix);
  const names = await readdir(folder).catch(() => []);
  const candidates = names.filter((name) => name.startsWith(basename(prefix)));
  await Promise.all(
    candidates.map(async (name) => {
      const path = join(folder, name);
      try {
        const owner = /^(.*)-(\d+)-[^-]*$/.exec(name.slice(basename(prefix).length));
        if (await isLeftBehind(path, owner?.[1], Number(owner?.[2]))) {
          await rm(path, { recursive: true, force: true });
        }
      } catch {
        // The folder belongs to another user, or is gone already.
      }
    }),
  );
}

async function isLeftBehind(path: string, host: string | undefined, pid: number): Promise<boolean> {
  const { mtimeMs } = await stat(path);
  if (host !== ownHost) return mtimeMs < Date.now() - abandonedMs;
  // In a container every run of a service may have the same process id, so the start time decides.
  if (pid === process.pid) return mtimeMs < performance.timeOrigin;
  return !isAlive(pid) || mtimeMs < Date.now() - abandonedMs;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

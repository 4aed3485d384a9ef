import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';

/**
 * Folders that hold something for a moment. A process that is killed leaves them behind, so their names say whose they are: another
 * finds them, and takes them away.
 */

/** Of a process that cannot be asked whether it lives, on another machine or in another container: nothing takes so long. */
const abandonedMs = 60 * 60_000;

/** The machine, or the container: in a name. */
const ownHost = hostname()
  .replaceAll(/[^\w.]/g, '_')
  .slice(0, 64);

/** @param prefix an absolute path that its name begins with; its folder must exist. @throws the file system's error */
export async function createScratchFolder(prefix: string): Promise<string> {
  return mkdtemp(`${prefix}${ownHost}-${process.pid}-`);
}

/** Takes away what processes that are gone left of such folders. What cannot be taken away stays. */
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
        // Somebody else's, or gone.
      }
    }),
  );
}

async function isLeftBehind(path: string, host: string | undefined, pid: number): Promise<boolean> {
  const { mtimeMs } = await stat(path);
  if (host !== ownHost) return mtimeMs < Date.now() - abandonedMs;
  // In a container every life of a service may have the same number.
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

import { randomUUID } from 'node:crypto';
import { link, open, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Content by file name. */
export type FolderContent = Readonly<Record<string, string | Uint8Array>>;

/**
 * Makes `folder` appear complete or not at all: files are written and synced in a hidden folder, which is then renamed. A process
 * killed on the way leaves only the hidden folder, which readers ignore.
 * @param scratchParent an existing folder for the hidden one; absent: it is beside `folder`
 * @throws the file system's error; ENOTEMPTY or EEXIST when the folder exists, ENOENT when `scratchParent` is gone before the end
 */
export async function writeFolderAtomically(
  folder: string,
  content: FolderContent,
  scratchParent?: string,
): Promise<void> {
  const parent = dirname(folder);
  if (scratchParent === undefined) await mkdir(parent, { recursive: true });
  const scratch = join(scratchParent ?? parent, `.${process.pid}-${Date.now()}.tmp`);
  await mkdir(scratch);
  try {
    for (const [name, data] of Object.entries(content)) await writeSynced(join(scratch, name), data);
    await syncFolder(scratch);
    await rename(scratch, folder);
    await syncFolder(parent);
  } catch (error) {
    await rm(scratch, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Replaces a file's content by one rename; a reader sees the old content or the new.
 * @param mode the file's permissions, from its first byte on; what the umask leaves unless given
 */
export async function writeFileAtomically(
  file: string,
  data: string | Uint8Array,
  mode?: number,
): Promise<void> {
  const scratch = `${file}.${process.pid}.tmp`;
  try {
    await writeSynced(scratch, data, 'w', mode);
    await rename(scratch, file);
    await syncFolder(dirname(file));
  } catch (error) {
    await rm(scratch, { force: true });
    throw error;
  }
}

/** What file systems without hard links say. */
const noLinks = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

/**
 * Makes a file that did not exist, whole or not at all: of several that try at once, in whatever processes, exactly one succeeds.
 * Where the file system has no hard links, a reader may see it before all of it is there.
 * @throws the file system's error; EEXIST when the file exists
 */
export async function createFileAtomically(file: string, data: string): Promise<void> {
  const parent = dirname(file);
  const scratch = join(parent, `.${process.pid}-${randomUUID()}.tmp`);
  try {
    await writeSynced(scratch, data);
    await link(scratch, file).catch(async (error: unknown) => {
      if (!noLinks.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      await writeSynced(file, data, 'wx');
    });
    await syncFolder(parent);
  } finally {
    await rm(scratch, { force: true });
  }
}

/** Removes what killed processes left behind in `parent`. */
export async function removeLeftovers(parent: string): Promise<void> {
  const entries = await readdir(parent).catch(() => []);
  const leftovers = entries.filter((entry) => entry.startsWith('.') && entry.endsWith('.tmp'));
  for (const entry of leftovers) {
    const owner = Number(entry.slice(1).split('-')[0]);
    if (!isAlive(owner)) await rm(join(parent, entry), { recursive: true, force: true });
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function writeSynced(
  file: string,
  data: string | Uint8Array,
  flags: 'w' | 'wx' = 'w',
  mode?: number,
): Promise<void> {
  const handle = await open(file, flags, mode);
  try {
    // A umask may have taken away more; a file that was there before keeps its own mode.
    if (mode !== undefined) await handle.chmod(mode);
    await handle.writeFile(data);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What was made or renamed in a folder outlives a loss of power. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

import { randomUUID } from 'node:crypto';
import { link, open, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** The content of each file, by file name. */
export type FolderContent = Readonly<Record<string, string | Uint8Array>>;

/**
 * Makes `folder` appear complete or not at all. Files are written and synced in a hidden folder, which
 * is then renamed. A killed process leaves only the hidden folder, which readers ignore.
 * @param scratchParent an existing folder for the hidden one; absent: the parent of `folder`
 * @throws the file system's error: ENOTEMPTY or EEXIST when the folder exists, ENOENT when
 * `scratchParent` was removed meanwhile
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
 * Replaces a file's content with one rename. A reader sees either the old or the new content.
 * @param mode the file's permissions from its first byte on; absent: the default that the umask leaves
 * @throws the file system's error
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

/** Error codes of file systems without hard links. */
const linkUnsupportedCodes = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

/**
 * Creates a file that does not exist yet, complete or not at all. When several processes try at once,
 * exactly one succeeds. On a file system without hard links a reader may see the file before it is
 * complete.
 * @throws the file system's error; EEXIST when the file exists
 */
export async function createFileAtomically(file: string, data: string): Promise<void> {
  const parent = dirname(file);
  const scratch = join(parent, `.${process.pid}-${randomUUID()}.tmp`);
  try {
    await writeSynced(scratch, data);
    await link(scratch, file).catch(async (error: unknown) => {
      if (!linkUnsupportedCodes.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
      await writeSynced(file, data, 'wx');
    });
    await syncFolder(parent);
  } finally {
    await rm(scratch, { force: true });
  }
}

/** Removes the hidden folders and files in `parent` that killed processes left. */
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
    // The umask may have removed permissions; an existing file would keep its own mode.
    if (mode !== undefined) await handle.chmod(mode);
    await handle.writeFile(data);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Syncs a folder, so that new and renamed entries survive a power failure.
 * @throws the file system's error
 */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

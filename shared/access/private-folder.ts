import { constants, lstatSync, mkdirSync } from 'node:fs';
import { lstat, mkdir, open, type FileHandle } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';

/** A folder that only its user can enter. It is held open, so that nobody can replace it. */
export interface PrivateFolder {
  /** Returns a file's path through the open folder, which stays valid if the folder is renamed. */
  pathOf(name: string): string;
  close(): Promise<void>;
}

/** The permissions of other users. */
const othersPermissions = 0o077;

/**
 * Returns the folders for files that only this user may read, the preferred one first. `ADMIN_KEY_DIR`
 * is the only one where it is set. Otherwise: the user's state folder, which survives a logout, the
 * runtime folder of the login, and a private folder among the temporary ones. As in the XDG Base
 * Directory Specification, a variable that is empty or not an absolute path counts as not set.
 */
export function privateFolders(env: NodeJS.ProcessEnv): string[] {
  const adminKeyDir = env['ADMIN_KEY_DIR'];
  if (adminKeyDir !== undefined && adminKeyDir !== '') return [adminKeyDir];
  const home = absolute(env['HOME']) ?? homeOfUser();
  const below = (parent: string | undefined, ...names: string[]): string[] =>
    parent === undefined ? [] : [join(parent, ...names)];
  const folders = [
    ...below(absolute(env['XDG_STATE_HOME']), 'earshot'),
    ...below(home, '.local', 'state', 'earshot'),
    ...below(absolute(env['XDG_RUNTIME_DIR']), 'earshot'),
    ...temporaryFolders(env),
  ];
  return [...new Set(folders)];
}

/** Returns the private folders of this user among the temporary folders. */
function temporaryFolders(env: NodeJS.ProcessEnv): string[] {
  const parents = [absolute(env['TMPDIR']), '/tmp'].filter((parent) => parent !== undefined);
  return parents.map((parent) => join(parent, `earshot-${ownUser()}`));
}

/**
 * Returns the parents of cache folders, the preferred one first, and the private temporary folders;
 * variables as in `privateFolders`.
 */
export function placesBelow(env: NodeJS.ProcessEnv): {
  readonly places: string[];
  readonly temporary: string[];
} {
  const home = absolute(env['HOME']) ?? homeOfUser();
  const cacheHome = absolute(env['XDG_CACHE_HOME']) ?? (home && join(home, '.cache'));
  return { places: cacheHome === undefined ? [] : [cacheHome], temporary: temporaryFolders(env) };
}

/**
 * Creates a folder that only its user can enter.
 * @returns whether it exists, belongs to this user and is private
 */
export function makePrivateFolderNow(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const found = lstatSync(folder);
    return found.isDirectory() && found.uid === ownUser() && (found.mode & othersPermissions) === 0;
  } catch {
    return false;
  }
}

/**
 * Opens a private folder, and creates it first where it is missing.
 * @throws Error with the problem: another owner, a link, permissions of others, or the file system's
 * error
 */
export async function makePrivateFolder(folder: string): Promise<PrivateFolder> {
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 });
  const made = await mkdir(folder, { mode: 0o700 }).then(
    () => true,
    (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    },
  );
  return openFolder(folder, made);
}

/**
 * Opens an existing private folder.
 * @throws as makePrivateFolder does
 */
export function openPrivateFolder(folder: string): Promise<PrivateFolder> {
  return openFolder(folder, false);
}

/**
 * Reads a file that belongs to this user and is private.
 * @throws Error as makePrivateFolder does
 */
export async function readPrivateFile(
  folder: PrivateFolder,
  name: string,
  maxBytes: number,
): Promise<string> {
  const file = await open(
    folder.pathOf(name),
    constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
  );
  try {
    await assertPrivate(file);
    const { bytesRead, buffer } = await file.read(Buffer.alloc(maxBytes), 0, maxBytes, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

async function openFolder(folder: string, made: boolean): Promise<PrivateFolder> {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  const handle = await open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW).catch(async (error: unknown) => {
    // For a link, O_NOFOLLOW and O_DIRECTORY give ENOTDIR or ELOOP, which explains little.
    const link = await lstat(folder).then(
      (found) => found.isSymbolicLink(),
      () => false,
    );
    throw link ? new Error('it is a symbolic link') : error;
  });
  try {
    // The umask may have removed more permissions. An existing folder is left as it is.
    if (made) await handle.chmod(0o700);
    await assertPrivate(handle);
  } catch (error) {
    await handle.close();
    throw error;
  }
  return {
    pathOf: (name) => `/proc/self/fd/${handle.fd}/${name}`,
    close: () => handle.close(),
  };
}

/** A file system without permissions reports that everybody can read, whatever was requested. */
async function assertPrivate(handle: FileHandle): Promise<void> {
  const { uid, mode } = await handle.stat();
  if (uid !== ownUser()) throw new Error(`it belongs to user ${uid}`);
  if ((mode & othersPermissions) === 0) return;
  throw new Error(`others may read it (its mode is ${(mode & 0o777).toString(8)})`);
}

function absolute(path: string | undefined): string | undefined {
  return path !== undefined && isAbsolute(path) ? path : undefined;
}

/** Returns undefined for a user without an entry in the password file, as in many containers. */
function homeOfUser(): string | undefined {
  try {
    return absolute(userInfo().homedir);
  } catch {
    return undefined;
  }
}

function ownUser(): number {
  // Undefined on systems without user ids, where the service does not run.
  return process.geteuid?.() ?? -1;
}

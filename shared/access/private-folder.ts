import { constants, lstatSync, mkdirSync } from 'node:fs';
import { lstat, mkdir, open, type FileHandle } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';

/** A folder that its user alone can enter, held open: nobody can put another one in its place. */
export interface PrivateFolder {
  /** A file's path through the open folder, whatever has become of the folder's own path. */
  pathOf(name: string): string;
  close(): Promise<void>;
}

/** Permissions of anybody but the user. */
const othersMode = 0o077;

/**
 * Where a program of this user keeps what only this user may read, the best place first: `ADMIN_KEY_DIR` alone where that is
 * set; else the user's state folder, which outlives a login, the folder of the login, and a folder of the user's own
 * among the temporary ones. As the XDG Base Directory Specification wants it, a variable that is empty or holds no
 * absolute path counts as not set.
 */
export function privateFolders(env: NodeJS.ProcessEnv): string[] {
  const given = env['ADMIN_KEY_DIR'];
  if (given !== undefined && given !== '') return [given];
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

/** Among the temporary folders, those that are to be this user's alone. */
function temporaryFolders(env: NodeJS.ProcessEnv): string[] {
  const parents = [absolute(env['TMPDIR']), '/tmp'].filter((parent) => parent !== undefined);
  return parents.map((parent) => join(parent, `earshot-${ownUser()}`));
}

/** Where caches may be, the best first, and the user's own folders among the temporary ones; variables as in `privateFolders`. */
export function placesBelow(env: NodeJS.ProcessEnv): {
  readonly places: string[];
  readonly temporary: string[];
} {
  const home = absolute(env['HOME']) ?? homeOfUser();
  const given = absolute(env['XDG_CACHE_HOME']) ?? (home && join(home, '.cache'));
  return { places: given === undefined ? [] : [given], temporary: temporaryFolders(env) };
}

/** Makes a folder that its user alone can enter. @returns whether it is there, this user's and nobody else's */
export function makePrivateFolderNow(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const found = lstatSync(folder);
    return found.isDirectory() && found.uid === ownUser() && (found.mode & othersMode) === 0;
  } catch {
    return false;
  }
}

/**
 * Opens a folder, and makes it first where it is not there.
 * @throws Error that says what is wrong with it: another user's, a link, open to others, or what the file system says
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

/** Opens a folder that is there. @throws as makePrivateFolder does */
export function openPrivateFolder(folder: string): Promise<PrivateFolder> {
  return openFolder(folder, false);
}

/** A file's content, where it is this user's and nobody else's to read. @throws Error as makePrivateFolder does */
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
    // O_NOFOLLOW and O_DIRECTORY say ENOTDIR or ELOOP of a link, which explains little.
    const link = await lstat(folder).then(
      (found) => found.isSymbolicLink(),
      () => false,
    );
    throw link ? new Error('it is a symbolic link') : error;
  });
  try {
    // A umask may have taken away more than others' permissions. What was there before is left as it is.
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

/** File systems without permissions show what everybody can read, whatever was asked for. */
async function assertPrivate(handle: FileHandle): Promise<void> {
  const { uid, mode } = await handle.stat();
  if (uid !== ownUser()) throw new Error(`it belongs to user ${uid}`);
  if ((mode & othersMode) === 0) return;
  throw new Error(`others may read it (its mode is ${(mode & 0o777).toString(8)})`);
}

function absolute(path: string | undefined): string | undefined {
  return path !== undefined && isAbsolute(path) ? path : undefined;
}

/** Undefined for a user without an entry in the password file, as in many containers. */
function homeOfUser(): string | undefined {
  try {
    return absolute(userInfo().homedir);
  } catch {
    return undefined;
  }
}

function ownUser(): number {
  // Undefined on systems without users by number, where the service does not run.
  return process.geteuid?.() ?? -1;
}

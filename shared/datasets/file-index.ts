import { readdirSync, realpathSync, statSync, type Dirent } from 'node:fs';
import path from 'node:path';
import { invalidDataset } from './dataset-problems';

/** Finds files in a dataset's folder by names as people write them. */
export interface FileIndex {
  /** Relative to the folder, as on disk, separated by `/`. */
  readonly files: readonly string[];
  /** The folders in the same form; the folder itself has the empty name. */
  readonly folders: readonly string[];
  /**
   * Returns the file with this name, or the files that differ only in case or Unicode composition.
   * @param name relative to the folder, normalised, separated by `/`
   * @returns several where the name fits several files equally well
   */
  at(name: string): readonly string[];
  /** Returns the files whose paths end with this path. */
  endingIn(name: string): readonly string[];
  /** Returns the files that differ from this name only in the extension. */
  withStemOf(name: string): readonly string[];
}

const maxFiles = 200_000;
const maxFolders = 2000;
const maxDepth = 16;
/** Files that operating systems and version control add to folders. */
const systemFileName = /^(\..*|__MACOSX|Thumbs\.db|desktop\.ini)$/i;

/** Tells whether an operating system created this file; it may be ignored. */
export function isSystemFile(name: string): boolean {
  const parts = name.split('/');
  return !parts.includes('..') && parts.some((part) => part !== '.' && systemFileName.test(part));
}

/**
 * Lists a folder and everything below it, following links.
 * @throws AppError invalid-dataset when it holds too many files or cannot be read as a folder; other
 * errors of the file system
 */
export function indexFiles(folder: string): FileIndex {
  const files: string[] = [];
  const folders: string[] = [];
  const walked = new Set<string>();
  const walk = (name: string, depth: number): void => {
    const place = path.join(folder, name);
    const real = realpathSync(place);
    if (walked.has(real)) return; // A link to a folder above.
    walked.add(real);
    folders.push(name);
    if (depth > maxDepth) throw tooMuch(folder, `folders more than ${maxDepth} deep`);
    if (folders.length > maxFolders) throw tooMuch(folder, `more than ${maxFolders} folders`);
    for (const entry of readdirSync(place, { withFileTypes: true })) {
      if (systemFileName.test(entry.name)) continue;
      const below = name === '' ? entry.name : `${name}/${entry.name}`;
      const kind = kindOf(entry, place);
      if (kind === 'folder') walk(below, depth + 1);
      if (kind === 'file') files.push(below);
      if (files.length > maxFiles) throw tooMuch(folder, `more than ${maxFiles} files`);
    }
  };
  try {
    walk('', 0);
  } catch (caught) {
    if (!isUserFixable(caught)) throw caught;
    throw invalidDataset(folder, [`the folder cannot be read (${caught.code})`]);
  }
  files.sort();
  return { files, folders, ...lookUp(files) };
}

function kindOf(entry: Dirent, place: string): 'file' | 'folder' | undefined {
  if (entry.isDirectory()) return 'folder';
  if (entry.isFile()) return 'file';
  if (!entry.isSymbolicLink()) return undefined;
  const target = statSync(path.join(place, entry.name), { throwIfNoEntry: false });
  if (target?.isDirectory()) return 'folder';
  return target?.isFile() ? 'file' : undefined;
}

/**
 * Tells whether the owner of a file or folder can fix the error. Others (no descriptors, no memory, a
 * broken disk) they cannot.
 */
export function isUserFixable(caught: unknown): caught is NodeJS.ErrnoException & { readonly code: string } {
  const { code } = caught as NodeJS.ErrnoException;
  return code !== undefined && ['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'EISDIR', 'ELOOP'].includes(code);
}

function tooMuch(folder: string, what: string): Error {
  return invalidDataset(folder, [
    `the folder holds ${what}; keep what belongs to the dataset in one of its own`,
  ]);
}

type LookUp = Pick<FileIndex, 'at' | 'endingIn' | 'withStemOf'>;

/** Returns a name in the form in which file systems compare that ignore case and composition. */
export function nameKey(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

function lookUp(files: readonly string[]): LookUp {
  const exact = new Set(files);
  const composed = groupBy(files, (file) => [file.normalize('NFC')]);
  const folded = groupBy(files, (file) => [nameKey(file)]);
  // Built on first use, because few datasets need these two.
  let endings: ReadonlyMap<string, readonly string[]> | undefined;
  let stems: ReadonlyMap<string, readonly string[]> | undefined;
  return {
    at: (name) => {
      if (exact.has(name)) return [name];
      return composed.get(name.normalize('NFC')) ?? folded.get(nameKey(name)) ?? [];
    },
    endingIn: (name) => {
      endings ??= groupBy(files, (file) => endingsOf(nameKey(file)));
      return endings.get(nameKey(name)) ?? [];
    },
    withStemOf: (name) => {
      stems ??= groupBy(files, (file) => endingsOf(stemOf(nameKey(file))));
      return stems.get(stemOf(nameKey(name))) ?? [];
    },
  };
}

/** Maximum number of files kept per key; a message shows no more. */
const maxOfKey = 3;

function groupBy(
  files: readonly string[],
  keysOf: (file: string) => readonly string[],
): Map<string, readonly string[]> {
  const groups = new Map<string, string[]>();
  for (const file of files) {
    for (const key of keysOf(file)) {
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [file]);
      else if (group.length < maxOfKey) group.push(file);
    }
  }
  return groups;
}

/** Returns `a/b/c`, `b/c` and `c` for `a/b/c`. */
function endingsOf(name: string): string[] {
  const endings = [name];
  for (let at = name.indexOf('/'); at >= 0; at = name.indexOf('/', at + 1)) endings.push(name.slice(at + 1));
  return endings;
}

function stemOf(name: string): string {
  return name.replace(/\.[^./]*$/, '');
}

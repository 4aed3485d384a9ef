import { openAsBlob } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { DatasetFile } from '../../../shared/client/admin-client';
import { AppError } from '../../../shared/errors/app-error';

/**
 * Opens the files of a dataset for sending: a single zip as it is, else all files. Files in a folder are
 * named by their paths below it; hidden files are left out. Files are read only while they are sent.
 * @throws AppError not-found, malformed-request
 */
export async function openDatasetFiles(paths: readonly string[]): Promise<Blob | readonly DatasetFile[]> {
  const [first] = paths;
  if (first !== undefined && paths.length === 1 && /\.zip$/i.test(first) && !(await isFolder(first))) {
    return openAsBlob(first);
  }
  const files: DatasetFile[] = [];
  for (const path of paths) {
    const found = (await isFolder(path)) ? await filesBelow(path, '') : [{ path, name: basename(path) }];
    for (const { path: file, name } of found) files.push({ name, content: await openAsBlob(file) });
  }
  if (files.length > 0) return files;
  throw new AppError('not-found', `There are no files in ${paths.join(', ')}.`);
}

interface NamedPath {
  readonly path: string;
  readonly name: string;
}

async function filesBelow(folder: string, prefix: string): Promise<NamedPath[]> {
  const found: NamedPath[] = [];
  for (const name of (await readdir(folder)).sort()) {
    if (name.startsWith('.')) continue;
    const path = join(folder, name);
    if (await isFolder(path)) found.push(...(await filesBelow(path, `${prefix}${name}/`)));
    else found.push({ path, name: prefix + name });
  }
  return found;
}

/** Whether a path is a folder. @throws AppError not-found where it does not exist or cannot be read */
async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    const why = missing ? 'There is no such file or folder.' : (cause as Error).message;
    throw new AppError('not-found', `${path}: ${why}`, { cause });
  }
}

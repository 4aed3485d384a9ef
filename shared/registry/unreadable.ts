import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { AppError } from '../errors/app-error';
import { isAbsent, isShortage } from '../errors/machine-fault';

/**
 * What to throw of a file or folder that could not be read. A shortage stays the file system's error: it says nothing of the file,
 * which is to be read again. Anything else is a fault of the version, and names its cause.
 */
export function unreadable(name: string, caught: unknown): unknown {
  if (isShortage(caught) || caught instanceof AppError) return caught;
  const { code = 'no file' } = caught as NodeJS.ErrnoException;
  const message = isAbsent(caught) ? `${name} is missing.` : `${name} cannot be read (${code}).`;
  return new AppError('invalid-checkpoint', message, { cause: caught });
}

/**
 * The text of a file; undefined: there is none.
 * @throws AppError invalid-checkpoint when it cannot be read; a shortage as it is
 */
export async function readTextIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (caught) {
    if (isAbsent(caught)) return undefined;
    throw unreadable(basename(file), caught);
  }
}

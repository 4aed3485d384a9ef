import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { AppError } from '../errors/app-error';
import { isAbsent, isShortage } from '../errors/machine-fault';

/**
 * Returns what to throw for a file or folder that could not be read. A shortage of the system is
 * returned unchanged, because the file may be readable later. Any other error becomes a fault of the
 * version, with its cause.
 */
export function unreadable(name: string, caught: unknown): unknown {
  if (isShortage(caught) || caught instanceof AppError) return caught;
  const { code = 'no file' } = caught as NodeJS.ErrnoException;
  const message = isAbsent(caught) ? `${name} is missing.` : `${name} cannot be read (${code}).`;
  return new AppError('invalid-checkpoint', message, { cause: caught });
}

/**
 * Reads a text file; undefined where there is none.
 * @throws AppError invalid-checkpoint when it cannot be read; a shortage of the system unchanged
 */
export async function readTextIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (caught) {
    if (isAbsent(caught)) return undefined;
    throw unreadable(basename(file), caught);
  }
}

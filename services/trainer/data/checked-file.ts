import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '../../../shared/errors/app-error';

const checksumBytes = 32;

/**
 * Files of a cache: the sha256 of what is in them, then that. Whatever is damaged counts as not there.
 */
export interface CheckedFiles {
  /** The content kept under a key (whatever it depends on, in words), or undefined. */
  load(key: string): Promise<Buffer | undefined>;
  store(key: string, content: Uint8Array): Promise<void>;
}

/**
 * @param what is kept there, for errors
 * @throws AppError invalid-configuration when the folder cannot be made, or nothing be written to it
 */
export async function openCheckedFiles(folder: string, what: string): Promise<CheckedFiles> {
  const unwritable = (cause: unknown): AppError =>
    new AppError(
      'invalid-configuration',
      `${what} cannot be kept in ${folder}: ${(cause as Error).message}. Make room, or choose another cache folder.`,
      { cause },
    );
  await mkdir(folder, { recursive: true }).catch((caught: unknown) => {
    throw unwritable(caught);
  });
  const fileOf = (key: string): string => path.join(folder, `${sha256(key).toString('hex')}.f32`);
  return {
    load: async (key) => {
      const bytes = await readFile(fileOf(key)).catch(() => undefined);
      if (bytes === undefined) return undefined;
      const content = bytes.subarray(checksumBytes);
      return sha256(content).equals(bytes.subarray(0, checksumBytes)) ? content : undefined;
    },
    store: async (key, content) => {
      const temporary = path.join(folder, `${randomUUID()}.tmp`);
      try {
        await writeFile(temporary, Buffer.concat([sha256(content), content]));
        await rename(temporary, fileOf(key));
      } catch (caught) {
        await rm(temporary, { force: true });
        throw unwritable(caught);
      }
    },
  };
}

export function sha256(content: string | Uint8Array): Buffer {
  return createHash('sha256').update(content).digest();
}

import { join } from 'node:path';
import { goldenSchema, type Golden } from '../contracts/lifecycle';
import { AppError } from '../errors/app-error';
import { readTextIfThere } from './unreadable';

export const goldenFileName = 'golden.json';

/**
 * Reads a version's golden probabilities; undefined for an old version without them.
 * @throws AppError invalid-checkpoint when the file is damaged or cannot be read; a shortage of the
 * system unchanged
 */
export async function readGolden(folder: string): Promise<Golden | undefined> {
  const text = await readTextIfThere(join(folder, goldenFileName));
  if (text === undefined) return undefined;
  try {
    return goldenSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new AppError('invalid-checkpoint', `${goldenFileName} is damaged.`, { cause });
  }
}

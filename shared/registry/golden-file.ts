import { join } from 'node:path';
import { goldenSchema, type Golden } from '../contracts/lifecycle';
import { AppError } from '../errors/app-error';
import { readTextIfThere } from './unreadable';

export const goldenFileName = 'golden.json';

/**
 * A version's golden probabilities; undefined: it was made before they were stored.
 * @throws AppError invalid-checkpoint when the file is damaged or cannot be read; a shortage as it is
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

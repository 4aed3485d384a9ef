import { readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { servingStateSchema, type ServingState } from '../contracts/lifecycle';
import { AppError } from '../errors/app-error';
import { isAbsent, isShortage } from '../errors/machine-fault';
import { unreadable } from './unreadable';
import { createFileAtomically, removeLeftovers } from '../runtime/write-atomically';

/** The state in a registry's folder of which version is served. */
export interface ServingReading {
  /**
   * Number of the newest file, readable or not; 0 where there is none. A change names the generation
   * that it replaces.
   */
  readonly generation: number;
  /** The newest state that can be read; undefined where there is none. */
  readonly state: ServingState | undefined;
  /** Problems of files newer than `state` that cannot be read. */
  readonly problems: readonly string[];
}

export type ServingChange = Omit<ServingState, 'formatVersion' | 'generation' | 'changedAt'>;

const fileName = /^serving\.(\d{1,15})\.json$/;

/** Number of generations that are kept, for slow readers and as fallbacks. */
const keptGenerations = 8;

export function isServingFile(name: string): boolean {
  return fileName.test(name);
}

/**
 * Returns the number of the newest generation; 0 where none was written. It reads no file.
 * @throws as readServingState
 */
export async function newestGeneration(folder: string): Promise<number> {
  return (await generations(folder))[0] ?? 0;
}

/**
 * Reads which version is served. A broken file does not throw: it is reported, and the one before it is
 * used.
 * @throws AppError invalid-checkpoint when the folder exists and cannot be read; a shortage of the
 * system unchanged, because an older state must not be used then
 */
export async function readServingState(folder: string): Promise<ServingReading> {
  const numbers = await generations(folder);
  const problems: string[] = [];
  for (const generation of numbers) {
    try {
      const state = await readGeneration(folder, generation);
      return { generation: numbers[0]!, state, problems };
    } catch (error) {
      if (isShortage(error)) throw error;
      problems.push(AppError.from(error).message);
    }
  }
  return { generation: numbers[0] ?? 0, state: undefined, problems };
}

/**
 * Writes the state after `generation`, which is the newest one that the caller has read. It changes
 * nothing where a newer one exists. There is no lock that a killed process could leave behind.
 * @throws AppError conflict when another change came first; storage-full
 */
export async function writeServingState(
  folder: string,
  generation: number,
  change: ServingChange,
): Promise<ServingState> {
  const state: ServingState = {
    formatVersion: 1,
    generation: generation + 1,
    changedAt: new Date().toISOString(),
    ...change,
  };
  const file = join(folder, nameOf(state.generation));
  try {
    await createFileAtomically(file, `${JSON.stringify(state, null, 2)}\n`);
  } catch (cause) {
    throw writeProblem(cause as NodeJS.ErrnoException);
  }
  const [newest, ...older] = await generations(folder);
  // The number was free only because older generations were removed long ago.
  if (newest !== state.generation && !older.slice(0, keptGenerations - 1).includes(state.generation)) {
    await rm(file, { force: true });
    throw conflictError();
  }
  for (const old of older.slice(keptGenerations - 1)) await rm(join(folder, nameOf(old)), { force: true });
  await removeLeftovers(folder);
  return state;
}

function conflictError(): AppError {
  return new AppError('conflict', 'Another change of what serves came first: look at it and ask again.');
}

function writeProblem(cause: NodeJS.ErrnoException): AppError {
  switch (cause.code) {
    case 'EEXIST':
      return conflictError();
    case 'ENOSPC':
    case 'EDQUOT':
      return new AppError('storage-full', 'There is no room in the folder of models: nothing was changed.', {
        cause,
      });
    case 'EROFS':
    case 'EACCES':
      return new AppError('conflict', 'The folder of models cannot be written here: nothing was changed.', {
        cause,
      });
    default:
      return AppError.from(cause);
  }
}

function nameOf(generation: number): string {
  return `serving.${generation}.json`;
}

/** Returns the numbers of all generations, newest first. */
async function generations(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch((caught: unknown) => {
    if (isAbsent(caught)) return [];
    throw unreadable('The folder of models', caught);
  });
  return names
    .map((name) => Number(fileName.exec(name)?.[1] ?? 0))
    .filter((generation) => generation > 0)
    .sort((a, b) => b - a);
}

async function readGeneration(folder: string, generation: number): Promise<ServingState> {
  const name = nameOf(generation);
  const text = await readFile(join(folder, name), 'utf8').catch((caught: unknown) => {
    throw unreadable(name, caught);
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new AppError('invalid-checkpoint', `${name} is not JSON: it was cut or overwritten.`, { cause });
  }
  const parsed = servingStateSchema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new AppError('invalid-checkpoint', `${name}: ${issue?.path.join('.')}: ${issue?.message}.`);
  }
  if (parsed.data.generation === generation) return parsed.data;
  throw new AppError('invalid-checkpoint', `${name} holds generation ${parsed.data.generation}.`);
}

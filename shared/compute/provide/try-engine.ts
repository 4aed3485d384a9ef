import { join } from 'node:path';
import { AppError } from '../../errors/app-error';
import { isShortage } from '../../errors/machine-fault';
import type { ProvidedEngine } from './provide';
import { runTool } from './run-tool';

/** What came of it, by the binding's path. */
const tried = new Map<string, Promise<unknown>>();

/**
 * Loads a libtensorflow in a process of its own, once in the life of this one: what does not load may
 * end the process that tries, and what does load stays in it.
 * @throws AppError engine-unavailable with the reason: no GPU that it can use, a cache on a file system
 *   without programs, a signal; cancelled
 */
export async function tryEngine(choice: ProvidedEngine, signal: AbortSignal | undefined): Promise<void> {
  const key = choice.bindingPath;
  const trial =
    tried.get(key) ??
    runTool(process.execPath, [join(__dirname, 'try-engine-worker.js'), JSON.stringify(choice)], {
      // Of what libtensorflow says only the sentence about it is wanted.
      env: { TF_CPP_MIN_LOG_LEVEL: '3' },
      purpose: `load the ${choice.kind} engine`,
      install: 'node',
      signal,
    });
  tried.set(key, trial);
  try {
    await trial;
  } catch (error) {
    if (AppError.from(error).code === 'cancelled' || isShortage(error)) tried.delete(key);
    throw error;
  }
}

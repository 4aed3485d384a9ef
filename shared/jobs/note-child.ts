import { rm } from 'node:fs/promises';
import { AppError } from '../errors/app-error';
import { startInBackground } from '../runtime/processes/start-in-background';
import type { Run } from './child-run';
import { writeProcess } from '../runtime/processes/process-lock';
import type { RunOutcome } from './run-messages';

/**
 * Writes the child's process id into `file`. If this process is killed, the next owner of the folder
 * kills that child. A run whose id cannot be written (the disk is full, for example) is stopped and
 * fails.
 */
export function noteChild(run: Run, file: string): Run {
  if (run.pid === undefined) return run;
  const written = startInBackground(writeProcess(file, run.pid));
  const stopped = written.then(
    () => undefined,
    (error: unknown): RunOutcome => {
      run.stop();
      const { code, message } = AppError.from(error);
      const sentence = `The run could not be noted in the folder of jobs: ${(error as Error).message}`;
      return { type: 'failed', code, message: code === 'storage-full' ? message : sentence };
    },
  );
  const outcome = (async () => {
    const failure = await stopped;
    const ended = await run.outcome;
    // A file that cannot be removed names a process that has ended, which is harmless.
    await rm(file, { force: true }).catch(() => undefined);
    return failure ?? ended;
  })();
  return { ...run, outcome: startInBackground(outcome) };
}

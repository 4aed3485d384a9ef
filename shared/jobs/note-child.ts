import { rm } from 'node:fs/promises';
import { AppError } from '../errors/app-error';
import { begun } from '../runtime/processes/background';
import type { Run } from './child-run';
import { writeProcess } from './process-lock';
import type { RunOutcome } from './run-messages';

/**
 * Notes in `file` which process computes, for the case that this one is killed: the next to have the folder ends it. A run that cannot
 * be noted (the disk is full) is stopped, and has failed.
 */
export function noteChild(run: Run, file: string): Run {
  if (run.pid === undefined) return run;
  const noted = begun(writeProcess(file, run.pid));
  const stopped = noted.then(
    () => undefined,
    (error: unknown): RunOutcome => {
      run.stop();
      const { code, message } = AppError.from(error);
      const why = `The run could not be noted in the folder of jobs: ${(error as Error).message}`;
      return { type: 'failed', code, message: code === 'storage-full' ? message : why };
    },
  );
  const outcome = (async () => {
    const failure = await stopped;
    const ended = await run.outcome;
    // What cannot be removed names a process that is gone.
    await rm(file, { force: true }).catch(() => undefined);
    return failure ?? ended;
  })();
  return { ...run, outcome: begun(outcome) };
}

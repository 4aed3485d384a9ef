import { fork } from 'node:child_process';
import { setPriority } from 'node:os';
import type { JobProgress } from '../contracts/job';
import { runMessageSchema, type RunOrder, type RunOutcome } from './run-messages';

/** A run in a child process, so that this process keeps renewing its lock in the queue. */
export interface Run {
  readonly pid: number | undefined;
  readonly outcome: Promise<RunOutcome>;
  /** Asks the child to stop between two batches; kills it after `stopMs`. */
  readonly stop: () => void;
}

export type StartRun = (order: RunOrder, onProgress: (progress: JobProgress) => void) => Run;

/** Longer than any batch takes, including the writing of a checkpoint. */
const stopMs = 20_000;
/** Children get a lower priority than services on the same machine. */
const niceness = 10;
const maxOutputChars = 2000;

/** @param mainFile the trainer's main.js */
export function createStartRun(mainFile: string, env: NodeJS.ProcessEnv): StartRun {
  return (order, onProgress) => {
    const child = fork(mainFile, ['job'], { env, execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    let output = '';
    // Without free descriptors for its pipes the child does not start, and `stderr` is missing.
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-maxOutputChars);
    });
    if (child.pid !== undefined) lowerPriority(child.pid);
    let killing: NodeJS.Timeout | undefined;
    const outcome = new Promise<RunOutcome>((resolve) => {
      let reportedOutcome: RunOutcome | undefined;
      child.on('message', (message) => {
        const parsed = runMessageSchema.safeParse(message);
        // The message comes from a trainer of another version that replaced this one on disk; it is
        // ignored.
        if (!parsed.success) return;
        if (parsed.data.type === 'progress') onProgress(parsed.data.progress);
        else reportedOutcome = parsed.data;
      });
      const end = (reason: string): void => {
        clearTimeout(killing);
        resolve(reportedOutcome ?? { type: 'lost', reason: `${reason} ${output.trim()}`.trim() });
      };
      child.once('error', (error) => {
        if (child.pid === undefined) end(error.message);
      });
      child.once('close', (code, signal) => {
        // A child that could not be started is reported by its error event.
        if (child.pid !== undefined) end(`The process ended with ${signal ?? code ?? 'nothing'}.`);
      });
    });
    // Sending fails when the child exits at once; its exit is reported anyway.
    if (child.pid !== undefined) child.send(order, () => undefined);
    return {
      pid: child.pid,
      outcome,
      stop: () => {
        if (killing !== undefined) return;
        child.kill('SIGTERM');
        killing = setTimeout(() => child.kill('SIGKILL'), stopMs);
      },
    };
  };
}

function lowerPriority(pid: number): void {
  try {
    setPriority(pid, niceness);
  } catch {
    // The child has ended, or the system refuses; it then keeps its priority.
  }
}

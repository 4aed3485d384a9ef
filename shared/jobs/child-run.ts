import { fork } from 'node:child_process';
import { setPriority } from 'node:os';
import type { JobProgress } from '../contracts/job';
import { runMessageSchema, type RunOrder, type RunOutcome } from './run-messages';

/** One piece of work in a process of its own, so that this one keeps its promises to the queue while that one computes. */
export interface Run {
  readonly pid: number | undefined;
  readonly outcome: Promise<RunOutcome>;
  /** Asks it to stop between two batches; kills it when it does not. */
  readonly stop: () => void;
}

export type StartRun = (order: RunOrder, onProgress: (progress: JobProgress) => void) => Run;

/** Longer than any batch and the writing of any checkpoint take. */
const stopMs = 20_000;
/** A child gives way to what answers people on the same machine. */
const niceness = 10;
const keptOutput = 2000;

/** @param mainFile the trainer's main.js */
export function createStartRun(mainFile: string, env: NodeJS.ProcessEnv): StartRun {
  return (order, onProgress) => {
    const child = fork(mainFile, ['job'], { env, execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    let output = '';
    // Without descriptors for its pipes there is no process, and no stream of it.
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-keptOutput);
    });
    if (child.pid !== undefined) lowerPriority(child.pid);
    let killing: NodeJS.Timeout | undefined;
    const outcome = new Promise<RunOutcome>((resolve) => {
      let told: RunOutcome | undefined;
      child.on('message', (message) => {
        const parsed = runMessageSchema.safeParse(message);
        // From a trainer of another version, put in the place of this one's: as if it had said nothing.
        if (!parsed.success) return;
        if (parsed.data.type === 'progress') onProgress(parsed.data.progress);
        else told = parsed.data;
      });
      const end = (reason: string): void => {
        clearTimeout(killing);
        resolve(told ?? { type: 'lost', reason: `${reason} ${output.trim()}`.trim() });
      };
      child.once('error', (error) => {
        if (child.pid === undefined) end(error.message);
      });
      child.once('close', (code, signal) => {
        // One that was never started is named by its error.
        if (child.pid !== undefined) end(`The process ended with ${signal ?? code ?? 'nothing'}.`);
      });
    });
    // A child that dies at once cannot be told: its end says so.
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
    // It is gone already, or the system does not let us: it computes all the same.
  }
}

import { setTimeout as pause } from 'node:timers/promises';
import type { AdminClient } from '../../../shared/client/admin-client';
import type { Job } from '../../../shared/contracts/job';
import type { AppError } from '../../../shared/errors/app-error';
import { createStatusLine, type TextStream } from '../../../shared/observability/status-line';
import { jobLine, runsLine } from '../output/lines';

export interface WatchOptions {
  /** Receives the progress: one changing line on a terminal, elsewhere a line for each epoch. */
  readonly errors: TextStream;
  /** Receives every state of the job as JSON. */
  readonly output?: TextStream;
  readonly signal: AbortSignal;
}

/** Interval at which the runs of a cross-validation or a grid are polled. */
const runsPollMs = 2000;
/** Largest number of jobs that the service lists. */
const maxJobs = 500;

/**
 * Shows a job's progress until it has ended.
 * @returns the ended job; undefined when the signal aborted first
 * @throws AppError the service's errors
 */
export async function watchJob(
  client: AdminClient,
  id: string,
  { errors, output, signal }: WatchOptions,
): Promise<Job | undefined> {
  const status = createStatusLine(errors);
  let shown = '';
  const show = (text: string): void => {
    if (text === shown) return;
    shown = text;
    if (errors.isTTY === true) status.update(text);
    else status.print(text);
  };
  const ended = new AbortController();
  const stopRuns = AbortSignal.any([signal, ended.signal]);
  let runs: Promise<void> | undefined;
  let latest: Job | undefined;
  try {
    const onDisconnect = ({ message }: AppError): void => {
      status.print(`${message} Reconnecting…`);
    };
    for await (const job of client.followJob(id, { signal, onAway: onDisconnect })) {
      latest = job;
      output?.write(`${JSON.stringify(job)}\n`);
      show(jobLine(job));
      if (job.children !== undefined) runs ??= watchRuns(client, id, show, stopRuns);
    }
    return latest;
  } catch (caught) {
    if (signal.aborted) return undefined;
    throw caught;
  } finally {
    ended.abort();
    await runs;
    status.close();
  }
}

/**
 * Shows the state of a job's runs until the signal aborts. Never rejects: a failed request is repeated.
 */
async function watchRuns(
  client: AdminClient,
  id: string,
  show: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const ended = (): boolean => signal.aborted;
  while (!ended()) {
    const jobs = await client.jobs({ limit: maxJobs }).catch(() => []);
    const runs = jobs.filter(({ parent }) => parent === id);
    if (runs.length > 0 && !ended()) show(runsLine(id, runs));
    await pause(runsPollMs, undefined, { signal }).catch(() => undefined);
  }
}

import { setTimeout as pause } from 'node:timers/promises';
import type { AdminClient } from '../../../shared/client/admin-client';
import type { Job } from '../../../shared/contracts/job';
import type { AppError } from '../../../shared/errors/app-error';
import { createStatusLine, type TextStream } from '../../../shared/observability/status-line';
import { jobLine, runsLine } from '../output/lines';

export interface WatchOptions {
  /** How it goes: one changing line on a terminal, elsewhere a line for each epoch. */
  readonly errors: TextStream;
  /** Gets every change as JSON. */
  readonly output?: TextStream;
  readonly signal: AbortSignal;
}

/** Of a cross-validation or a grid each run has an epoch of its own: they are asked for so often. */
const runsMs = 2000;
/** The most that the service lists. */
const maxJobs = 500;

/**
 * Shows a job until it has ended.
 * @returns the job at its end; undefined when the signal came first
 * @throws AppError what the service refuses
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
  const either = AbortSignal.any([signal, ended.signal]);
  let runs: Promise<void> | undefined;
  let latest: Job | undefined;
  try {
    const onAway = ({ message }: AppError): void => {
      status.print(`${message} Reconnecting…`);
    };
    for await (const job of client.followJob(id, { signal, onAway })) {
      latest = job;
      output?.write(`${JSON.stringify(job)}\n`);
      show(jobLine(job));
      if (job.children !== undefined) runs ??= watchRuns(client, id, show, either);
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

/** Never fails: what cannot be asked now is asked again. */
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
    await pause(runsMs, undefined, { signal }).catch(() => undefined);
  }
}

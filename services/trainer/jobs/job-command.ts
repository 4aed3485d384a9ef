import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { readRunOrder, type RunMessage } from '../../../shared/jobs/run-messages';
import { AppError } from '../../../shared/errors/app-error';
import type { TrainerConfig } from '../options/config';
import { runJob } from './job-kinds';

/**
 * One piece of work for the process that started this one: the order comes over the IPC channel,
 * progress and the outcome go back. A signal, or the end of the parent, stops it between two batches;
 * the last whole epoch is kept.
 * @throws AppError malformed-request without such a parent
 */
export async function jobCommand(config: TrainerConfig, stop: AbortController): Promise<void> {
  if (process.send === undefined) {
    throw new AppError('malformed-request', 'A queue starts this command; to train by hand: npm run train');
  }
  process.once('disconnect', () => {
    stop.abort();
  });
  const [message] = (await once(process, 'message')) as [unknown];
  const outcome = await outcomeOf(message, config, stop.signal);
  await tell(outcome);
  if (process.connected) process.disconnect();
}

async function outcomeOf(message: unknown, config: TrainerConfig, signal: AbortSignal): Promise<RunMessage> {
  try {
    return await runJob(readRunOrder(message), {
      config,
      output: new PassThrough().resume(), // progress goes over the channel
      signal,
      onProgress: (progress) => void tell({ type: 'progress', progress }),
    });
  } catch (caught) {
    if (signal.aborted) return { type: 'stopped' };
    const error = AppError.from(caught);
    // A bug is shown whole in the worker's log.
    if (error.code === 'internal')
      process.stderr.write(`${String((error.cause as Error).stack ?? error.cause)}\n`);
    return { type: 'failed', code: error.code, message: error.message };
  }
}

/** Resolves when it is on its way; a parent that is gone is told nothing. */
async function tell(message: RunMessage): Promise<void> {
  await new Promise<void>((resolve) => {
    if (!process.connected) resolve();
    else
      process.send!(message, undefined, undefined, () => {
        resolve();
      });
  });
}

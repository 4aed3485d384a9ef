import type { Clock } from './clock';
import { AppError } from '../errors/app-error';
import { isShortage } from '../errors/machine-fault';
import { Backoff } from './backoff';

export interface RetryOnShortageOptions {
  readonly clock: Clock;
  /** Nothing is retried after it has aborted. */
  readonly signal: AbortSignal;
  /** Called before each wait. */
  readonly onShortage: (problem: string, retryMs: number) => void;
}

/**
 * Retries `work` while the machine lacks a resource (memory, file descriptors, disk). The wait grows
 * with each attempt.
 * @throws any other error of `work`; the shortage itself once `signal` has aborted
 */
export async function retryOnShortage<T>(
  work: () => Promise<T>,
  { clock, signal, onShortage }: RetryOnShortageOptions,
): Promise<T> {
  const backoff = new Backoff(clock);
  const end = (): void => {
    backoff.end();
  };
  signal.addEventListener('abort', end, { once: true });
  try {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (signal.aborted || !isShortage(error)) throw error;
        const retryMs = backoff.failed();
        onShortage(AppError.from(error).message, retryMs);
        await backoff.wait(retryMs);
      }
    }
  } finally {
    signal.removeEventListener('abort', end);
  }
}

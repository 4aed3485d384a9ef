import type { Clock } from './clock';
import { AppError } from '../errors/app-error';
import { isShortage } from '../errors/machine-fault';
import { Backoff } from './backoff';

export interface ThroughShortagesOptions {
  readonly clock: Clock;
  /** Once it has aborted nothing is tried again. */
  readonly signal: AbortSignal;
  /** Told before each wait. */
  readonly onShortage: (problem: string, retryMs: number) => void;
}

/**
 * Does `work` again, after a longer wait each time, for as long as it fails because the machine is short
 * of something.
 * @throws whatever else it fails with; the shortage itself once `signal` has aborted
 */
export async function throughShortages<T>(
  work: () => Promise<T>,
  { clock, signal, onShortage }: ThroughShortagesOptions,
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

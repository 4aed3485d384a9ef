import { AppError } from './app-error';

/** Why `signal` aborted, as an AppError: its own reason if that is one, else `cancelled`. */
export function cancellation(signal: AbortSignal): AppError {
  if (signal.reason instanceof AppError) return signal.reason;
  return new AppError('cancelled', 'The caller went away.', { cause: signal.reason });
}

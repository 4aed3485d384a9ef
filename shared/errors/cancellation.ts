import { AppError } from './app-error';

/**
 * Returns the reason for which `signal` aborted as an AppError; `cancelled` where the reason is no
 * AppError.
 */
export function cancellation(signal: AbortSignal): AppError {
  if (signal.reason instanceof AppError) return signal.reason;
  return new AppError('cancelled', 'The caller went away.', { cause: signal.reason });
}

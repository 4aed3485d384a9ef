import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '../../../../shared/errors/app-error';

/** Seconds that the sender will wait for its answer. */
export const timeoutHeader = 'X-Request-Timeout';
export const timeoutPattern = String.raw`^\d{1,4}(\.\d{1,3})?$`;

/**
 * What a request allows for its answer, in milliseconds; `defaultMs` at most, and when it does not say.
 * @throws AppError malformed-request
 */
export function requestTimeoutMs(headers: IncomingHttpHeaders, defaultMs: number): number {
  const given = headers[timeoutHeader.toLowerCase()];
  if (given === undefined) return defaultMs;
  const seconds = typeof given === 'string' && new RegExp(timeoutPattern).test(given) ? Number(given) : 0;
  if (seconds > 0) return Math.min(defaultMs, seconds * 1000);
  throw new AppError(
    'malformed-request',
    `${timeoutHeader} says how many seconds the answer may take, as in 2.5; got ${JSON.stringify(given)}.`,
  );
}

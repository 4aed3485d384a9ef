import type { ErrorRequestHandler } from 'express';
import { AppError, type ErrorCode } from '../../../shared/errors/app-error';
import type { Logger } from '../../../shared/observability/logger';
import type { Metrics } from '../../../shared/observability/metrics';
import { problemHeaders, problemOf } from './problem';
import { contextOf } from './request-context';

/**
 * What the log says the cause of: ours, and other services' and the machine's; not what
 * only asks a caller to come again (503), or to ask otherwise (501).
 */
function isOurs(status: number): boolean {
  return status >= 500 && status !== 503 && status !== 501;
}

/** Answers whatever was thrown with a problem document; logs what was our fault. */
export function errorMiddleware(logger: Logger, metrics: Metrics): ErrorRequestHandler {
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- Express knows an error handler by its four parameters
  return (caught: unknown, _req, res, _next) => {
    const error = translate(caught);
    const context = contextOf(res);
    const { requestId } = context;
    context.failure = error.code;
    metrics.rejected.inc({ reason: error.code });
    const problem = problemOf(error, requestId);
    if (isOurs(problem.status)) logger.error({ requestId, err: error }, 'request failed on our side');
    if (res.headersSent || res.destroyed || error.code === 'cancelled') {
      res.destroy();
      return;
    }
    const body = Buffer.from(JSON.stringify(problem));
    res.status(problem.status);
    res.setHeader('Content-Type', 'application/problem+json');
    res.setHeader('Content-Length', body.byteLength);
    res.setHeader('Cache-Control', 'no-store');
    for (const [name, value] of Object.entries(problemHeaders(problem))) res.setHeader(name, value);
    res.end(body);
  };
}

/** What Express and its parts mean by a status; by any other, a request that is not well-formed. */
const codesOfOthers: Readonly<Record<number, ErrorCode>> = {
  413: 'payload-too-large',
  415: 'unsupported-media',
};

/**
 * Express and its parts throw errors with a `status`; of these the client's faults keep their meaning.
 */
function translate(caught: unknown): AppError {
  if (caught instanceof AppError || !(caught instanceof Error)) return AppError.from(caught);
  const status = 'status' in caught ? caught.status : undefined;
  if (typeof status !== 'number' || status < 400 || status >= 500) return AppError.from(caught);
  if (status === 404) return new AppError('not-found', 'There is nothing here.', { cause: caught });
  const code = codesOfOthers[status] ?? 'malformed-request';
  return new AppError(code, `The request cannot be read: ${caught.message}.`, { cause: caught });
}

import type { ErrorRequestHandler } from 'express';
import { AppError, type ErrorCode } from '../../../shared/errors/app-error';
import type { Problem } from '../../../shared/contracts/problem';
import type { Logger } from '../../../shared/observability/logger';
import type { Metrics } from '../../../shared/observability/metrics';
import { problemHeaders } from './server/raw-answer';
import { contextOf } from './request-context';

/** The one place where a code becomes a status. */
const statuses: Readonly<Record<ErrorCode, readonly [status: number, title: string]>> = {
  'malformed-request': [400, 'Malformed request'],
  'wrong-order': [400, 'Message out of order'],
  unauthorized: [401, 'API key missing or unknown'],
  forbidden: [403, 'Not allowed'],
  'not-found': [404, 'Not found'],
  conflict: [409, 'Not in this state'],
  'method-not-allowed': [405, 'Method not allowed'],
  'upgrade-required': [426, 'Only as a WebSocket'],
  'not-acceptable': [406, 'No acceptable form of answer'],
  'request-timeout': [408, 'Request took too long to arrive'],
  'payload-too-large': [413, 'Upload too large'],
  'headers-too-large': [431, 'Headers too large'],
  'unsupported-media': [415, 'Not a supported kind of content'],
  'undecodable-audio': [422, 'Audio that cannot be decoded'],
  'empty-audio': [422, 'No sound in the upload'],
  'non-finite-audio': [422, 'Samples that are not numbers'],
  'clip-too-long': [422, 'Clip too long'],
  overloaded: [429, 'Too much to do'],
  'rate-limited': [429, 'Too many requests with this key'],
  cancelled: [499, 'Client hung up'],
  starting: [503, 'Starting'],
  draining: [503, 'Shutting down'],
  'engine-unavailable': [503, 'Inference engine unavailable'],
  unreachable: [502, 'Service unreachable'],
  'unknown-coding': [501, 'Transfer coding not understood'],
  'storage-full': [507, 'No room on the disk'],
  'invalid-configuration': [500, 'Internal error'],
  'invalid-dataset': [422, 'Dataset with problems'],
  'invalid-checkpoint': [500, 'Internal error'],
  'training-diverged': [500, 'Internal error'],
  internal: [500, 'Internal error'],
};

const apology = 'Something went wrong on our side. The requestId helps us to find out what.';

export function statusOf(code: ErrorCode): number {
  return statuses[code][0];
}

/**
 * What the log says the cause of: ours, and other services' and the machine's; not what
 * only asks a caller to come again (503), or to ask otherwise (501).
 */
function isOurs(status: number): boolean {
  return status >= 500 && status !== 503 && status !== 501;
}

/** The RFC 9457 document of an error. Of what is our own fault it says nothing but the code. */
export function problemOf(error: AppError, requestId: string): Problem {
  const [status, title] = statuses[error.code];
  const ours = status === 500;
  return {
    ...(ours ? {} : error.details),
    type: `/problems/${error.code}`,
    title,
    status,
    detail: ours ? apology : error.message,
    code: error.code,
    requestId,
  };
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

/** Express and its parts throw errors with a `status`; of these the client's faults keep their meaning. */
function translate(caught: unknown): AppError {
  if (caught instanceof AppError || !(caught instanceof Error)) return AppError.from(caught);
  const status = 'status' in caught ? caught.status : undefined;
  if (typeof status !== 'number' || status < 400 || status >= 500) return AppError.from(caught);
  if (status === 404) return new AppError('not-found', 'There is nothing here.', { cause: caught });
  const code = codesOfOthers[status] ?? 'malformed-request';
  return new AppError(code, `The request cannot be read: ${caught.message}.`, { cause: caught });
}

import { type AppError, type ErrorCode } from '../../../shared/errors/app-error';
import type { Problem } from '../../../shared/contracts/problem';

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

/** The RFC 9457 document of an error. Of what is our own fault it says nothing but the code. */
export function problemOf(error: AppError, requestId: string): Problem {
  const [status, title] = statuses[error.code];
  const ours = status === 500;
  const detail = ours ? apology : error.message;
  return {
    ...(ours ? {} : error.details),
    type: `/problems/${error.code}`,
    title,
    status,
    detail,
    // The name by which clients of the Open Inference Protocol and of Hugging Face look for it.
    error: detail,
    code: error.code,
    requestId,
  };
}

/** What a problem says in headers too. */
export function problemHeaders(problem: Problem): Record<string, string> {
  const retryAfterSeconds = problem['retryAfterSeconds'];
  return {
    ...(typeof retryAfterSeconds === 'number' ? { 'Retry-After': String(retryAfterSeconds) } : {}),
    ...(problem.status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}),
  };
}

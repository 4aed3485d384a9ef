import type { Problem } from '../contracts/problem.js';
import type { ServiceStatus } from '../contracts/service-status.js';
import { AppError, errorCodes, type ErrorCode } from '../errors/app-error.js';
import type { ClientOptions } from './options.js';

/**
 * One request; the answer's JSON, whose shape is the caller's affair. Undefined for an answer without
 * content (204).
 * @throws AppError with the service's own code and words; unreachable when there is no service;
 *   cancelled
 */
export async function ask(options: ClientOptions, path: string, init: RequestInit = {}): Promise<unknown> {
  const response = await send(options, path, init);
  if (response.status === 204) return undefined;
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok && body !== undefined) return body;
  if (init.signal?.aborted === true) throw new AppError('cancelled', 'The request was called off.');
  if (!response.ok) throw refusal(response, body);
  // Cut off in the middle, or some other program's page.
  throw new AppError('unreachable', `What answers at ${resolveUrl(options, path).href} is not this service.`);
}

/**
 * Whether recordings are taken, which is an answer also when they are not. @throws AppError unreachable
 */
export async function askStatus(options: ClientOptions): Promise<ServiceStatus> {
  const response = await send(options, 'readyz', {});
  const body: unknown = await response.json().catch(() => undefined);
  if (typeof (body as Partial<ServiceStatus> | undefined)?.status === 'string') return body as ServiceStatus;
  throw refusal(response, body);
}

/** An address below the service's own. */
export function resolveUrl({ baseUrl }: ClientOptions, path: string): URL {
  const base = new URL(baseUrl);
  if (!base.pathname.endsWith('/')) base.pathname += '/';
  return new URL(path, base);
}

/**
 * One request, whose answer may say no.
 * @throws AppError unreachable, cancelled
 */
export async function send(options: ClientOptions, path: string, init: RequestInit): Promise<Response> {
  const url = resolveUrl(options, path);
  const headers = new Headers(init.headers);
  if (options.apiKey !== undefined) headers.set('Authorization', `Bearer ${options.apiKey}`);
  const fetch = options.fetch ?? globalThis.fetch;
  try {
    return await fetch(url, { ...init, headers });
  } catch (cause) {
    if (init.signal?.aborted === true) {
      throw new AppError('cancelled', 'The request was called off.', { cause });
    }
    throw new AppError('unreachable', `The service at ${url.origin} cannot be reached.`, { cause });
  }
}

/**
 * What the service said no with; a proxy in between answers with no problem document, and has only its
 * status.
 */
export function refusal(response: Response, body: unknown): AppError {
  const problem = (body ?? {}) as Partial<Problem>;
  const code = errorCodes.find((known) => known === problem.code) ?? codeOf(response.status);
  const retryAfter = Number(response.headers.get('retry-after') ?? NaN);
  const details = {
    status: response.status,
    ...(Number.isFinite(retryAfter) ? { retryAfterSeconds: retryAfter } : {}),
    ...(problem.requestId === undefined ? {} : { requestId: problem.requestId }),
    ...(problem.problems === undefined ? {} : { problems: problem.problems }),
  };
  const detail = problem.detail ?? `The service answered with status ${response.status}.`;
  return new AppError(code, detail, { details });
}

function codeOf(status: number): ErrorCode {
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'forbidden';
  if (status === 413) return 'payload-too-large';
  if (status === 429) return 'overloaded';
  if (status === 404) return 'not-found';
  return status >= 500 ? 'engine-unavailable' : 'malformed-request';
}

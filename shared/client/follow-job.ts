import type { Job } from '../contracts/job.js';
import { AppError, type ErrorCode } from '../errors/app-error.js';
import { refusal, send } from './ask.js';
import { createBackoff } from './backoff.js';
import type { ClientOptions } from './options.js';

export interface FollowOptions {
  readonly signal: AbortSignal;
  /** The service is away; it is asked again and again. */
  readonly onAway?: (reason: AppError) => void;
}

/** The codes after which the service may be asked again. */
const passing: readonly ErrorCode[] = ['unreachable', 'starting', 'draining', 'overloaded', 'rate-limited'];
const firstPauseMs = 500;
const maxPauseMs = 10_000;

/**
 * A job's server-sent events: the job as it is, then after each change until it has ended.
 * @throws AppError what the service refuses for good; cancelled
 */
export async function* followJob(
  client: ClientOptions,
  id: string,
  { signal, onAway }: FollowOptions,
): AsyncGenerator<Job, void> {
  const backoff = createBackoff(firstPauseMs, maxPauseMs);
  let lastId: string | undefined;
  for (;;) {
    let away: AppError;
    try {
      const response = await openEvents(client, id, lastId, signal);
      // The end was told already.
      if (response.status === 204) return;
      for await (const event of readEvents(response)) {
        backoff.reset();
        lastId = event.id;
        const job = JSON.parse(event.data) as Job;
        yield job;
        if (['finished', 'failed', 'cancelled'].includes(job.state)) return;
      }
      away = lost();
    } catch (caught) {
      away = passingOrThrow(caught, signal);
    }
    onAway?.(away);
    await pause(backoff.next(Number(away.details['retryAfterSeconds'] ?? 0)), signal);
  }
}

async function openEvents(
  client: ClientOptions,
  id: string,
  lastId: string | undefined,
  signal: AbortSignal,
): Promise<Response> {
  const headers = lastId === undefined ? {} : { 'Last-Event-ID': lastId };
  const response = await send(client, `jobs/${encodeURIComponent(id)}/events`, { signal, headers });
  if (response.ok) return response;
  throw refusal(response, await response.json().catch(() => undefined));
}

/** What goes by itself. @throws AppError what does not */
function passingOrThrow(caught: unknown, signal: AbortSignal): AppError {
  if (signal.aborted) throw new AppError('cancelled', 'The request was called off.', { cause: caught });
  // What breaks in the middle of an answer is no AppError.
  if (!(caught instanceof AppError)) return lost();
  if (passing.includes(caught.code)) return caught;
  throw caught;
}

function lost(): AppError {
  return new AppError('unreachable', 'The connection was lost.');
}

interface ServerSentEvent {
  readonly id: string;
  readonly data: string;
}

/** The events that have data, of the form in which the service sends them: one line of data each. */
async function* readEvents(response: Response): AsyncGenerator<ServerSentEvent, void> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    const events = text.split('\n\n');
    text = events.pop()!;
    for (const event of events) {
      const field = (name: string): string | undefined => new RegExp(`^${name}: (.*)$`, 'm').exec(event)?.[1];
      const data = field('data');
      if (data !== undefined) yield { id: field('id') ?? '', data };
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const called = (): void => {
      clearTimeout(timer);
      reject(new AppError('cancelled', 'The request was called off.'));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', called);
      resolve();
    }, ms);
    if (signal.aborted) called();
    else signal.addEventListener('abort', called, { once: true });
  });
}

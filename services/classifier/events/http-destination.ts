import { createHmac } from 'node:crypto';
import { cloudEventMediaType } from '../../../shared/contracts/cloud-event';
import type { Destination, Outcome, Parcel } from './destination';

/** Time for an answer, as Standard Webhooks recommends 15 to 30 s. */
const answerMs = 20_000;
/** Statuses with which a receiver, or a proxy before it, asks for another attempt. */
const busyStatuses: readonly number[] = [408, 425, 429];

/**
 * The signature of a message by Standard Webhooks, symmetric: one for each secret, so that a receiver
 * can change over from one to the next.
 * @param timestampSeconds Unix time of the attempt
 */
function signatures(
  id: string,
  timestampSeconds: number,
  body: string,
  secrets: readonly Uint8Array[],
): string {
  const signed = `${id}.${timestampSeconds}.${body}`;
  return secrets.map((key) => `v1,${createHmac('sha256', key).update(signed).digest('base64')}`).join(' ');
}

/**
 * Posts each event as a CloudEvent in structured JSON mode, signed by Standard Webhooks. Credentials in
 * the address are sent as HTTP Basic. Redirects are not followed.
 */
export function createHttpDestination(address: string, secrets: readonly Uint8Array[]): Destination {
  const url = new URL(address);
  const authorization = takeCredentials(url);

  async function post({ event: { id }, text }: Parcel, signal: AbortSignal): Promise<Outcome> {
    const seconds = Math.floor(Date.now() / 1000);
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': cloudEventMediaType,
        'user-agent': 'Earshot',
        'webhook-id': id,
        'webhook-timestamp': String(seconds),
        'webhook-signature': signatures(id, seconds, text, secrets),
        ...authorization,
      },
      body: text,
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]),
    });
    // What it says besides is not read.
    await response.body?.cancel();
    return outcomeOf(response);
  }

  return {
    name: 'http',
    host: url.host,
    onBack: () => undefined,
    deliver: (parcel, signal) =>
      post(parcel, signal).catch((error: unknown): Outcome => ({ kind: 'retry', reason: reasonOf(error) })),
    close: () => Promise.resolve(),
  };
}

/** Moves the credentials of an address into a header: `fetch` takes none in an address. */
function takeCredentials(url: URL): { readonly authorization?: string } {
  const { username, password } = url;
  if (username === '' && password === '') return {};
  url.username = '';
  url.password = '';
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(credentials, 'utf8').toString('base64')}` };
}

function outcomeOf({ status, ok, headers }: Response): Outcome {
  const reason = `it answered ${status}`;
  if (ok) return { kind: 'delivered' };
  if (status === 410) return { kind: 'gone', reason };
  const isBusy = busyStatuses.includes(status);
  if (status >= 400 && status < 500 && !isBusy) return { kind: 'refused', reason };
  return { kind: 'retry', reason, afterMs: retryAfterMs(headers.get('retry-after')) };
}

/** @param value seconds or a date, as in RFC 9110, section 10.2.3; anything else counts as 0 */
function retryAfterMs(value: string | null): number {
  if (value === null) return 0;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const ms = Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? 0 : Math.max(0, ms);
}

/** The code of the system's error; messages of libraries may repeat addresses. */
function reasonOf(error: unknown): string {
  if ((error as Error).name === 'TimeoutError') return `it did not answer within ${answerMs / 1000} s`;
  const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
  return code === undefined ? 'the connection failed' : `the connection failed: ${code}`;
}

import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import type { Outcome } from '../../../services/classifier/events/destination';
import { createHttpDestination } from '../../../services/classifier/events/http-destination';
import { sampleEvent } from '../../support/event-samples';
import { freePort } from '../../support/free-port';

const secrets = [Buffer.alloc(32, 1), Buffer.alloc(24, 2)];
const event = sampleEvent('kitchen', 'Küche, "laut"');
const parcel = { event, text: JSON.stringify(event) };

interface Received {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let server: Server;
let port: number;
let received: Received[];
let answer: { status: number; headers?: Record<string, string> };
beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      const { method, url, headers } = request;
      received.push({ method, url, headers, body });
      response.writeHead(answer.status, answer.headers).end('x'.repeat(100));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});
beforeEach(() => {
  received = [];
  answer = { status: 204 };
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const post = (address: string): Promise<Outcome> =>
  createHttpDestination(address, secrets).deliver(parcel, new AbortController().signal);

describe('the receiver over HTTP', () => {
  it('gets a CloudEvent whose signature Standard Webhooks’ own library accepts, for each secret', async () => {
    expect(await post(`http://127.0.0.1:${port}/hook?key=1`)).toEqual({ kind: 'delivered' });
    const [{ method, url, headers, body }] = received as [Received];
    expect([method, url]).toEqual(['POST', '/hook?key=1']);
    expect(headers).toMatchObject({
      'content-type': 'application/cloudevents+json; charset=utf-8',
      'webhook-id': event.id,
    });
    expect(body).toBe(parcel.text);
    for (const secret of secrets) {
      const webhook = new Webhook(`whsec_${secret.toString('base64')}`);
      expect(webhook.verify(body, headers as Record<string, string>)).toEqual(event);
      expect(() => webhook.verify(`${body} `, headers as Record<string, string>)).toThrow(/signature/);
    }
    const stranger = new Webhook(`whsec_${Buffer.alloc(32, 3).toString('base64')}`);
    expect(() => stranger.verify(body, headers as Record<string, string>)).toThrow(/signature/);
  });

  it('gets the address’s credentials as HTTP Basic', async () => {
    expect(await post(`http://me:p%40ss@127.0.0.1:${port}/`)).toEqual({ kind: 'delivered' });
    expect(received[0]!.headers.authorization).toBe(`Basic ${Buffer.from('me:p@ss').toString('base64')}`);
  });

  it.each<[number, Record<string, string>, object]>([
    [200, {}, { kind: 'delivered' }],
    [301, { location: '/elsewhere' }, { kind: 'retry', reason: 'it answered 301', afterMs: 0 }],
    [400, {}, { kind: 'refused', reason: 'it answered 400' }],
    [401, {}, { kind: 'refused', reason: 'it answered 401' }],
    [404, {}, { kind: 'refused', reason: 'it answered 404' }],
    [408, {}, { kind: 'retry', reason: 'it answered 408', afterMs: 0 }],
    [410, {}, { kind: 'gone', reason: 'it answered 410' }],
    [429, { 'retry-after': '17' }, { kind: 'retry', reason: 'it answered 429', afterMs: 17_000 }],
    [500, {}, { kind: 'retry', reason: 'it answered 500', afterMs: 0 }],
    [503, { 'retry-after': 'soon' }, { kind: 'retry', reason: 'it answered 503', afterMs: 0 }],
  ])('is understood when it answers %i %j', async (status, headers, outcome) => {
    answer = { status, headers };
    expect(await post(`http://127.0.0.1:${port}/`)).toEqual(outcome);
    expect(received).toHaveLength(1);
  });

  it('may name the time at which to come back', async () => {
    answer = { status: 503, headers: { 'retry-after': new Date(Date.now() + 600_000).toUTCString() } };
    const { afterMs } = (await post(`http://127.0.0.1:${port}/`)) as { afterMs: number };
    expect(afterMs).toBeGreaterThan(500_000);
    expect(afterMs).toBeLessThanOrEqual(600_000);
  });

  it('that is away is told by the system’s code alone, without the address', async () => {
    const outcome = await post(`http://me:secret@127.0.0.1:${await freePort()}/hook-secret`);
    expect(outcome).toEqual({ kind: 'retry', reason: 'the connection failed: ECONNREFUSED' });
  });
});

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { createBackoff } from '../../shared/client/backoff';
import { createClient } from '../../shared/client/client';
import { rejection } from '../support/rejection';

let server: Server;
let base: string;
let answer: (req: IncomingMessage, res: ServerResponse) => void;

beforeAll(async () => {
  server = createServer((req, res) => {
    answer(req, res);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/behind/a/proxy`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

function answerWith(status: number, body: string, headers: Record<string, string> = {}): void {
  answer = (_req, res) => res.writeHead(status, headers).end(body);
}

describe('a request of the client', () => {
  it('sends the recording, its options and the key below the address it was given', async () => {
    let seen: unknown;
    answer = (req, res) => {
      void buffer(req).then((body) => {
        seen = [req.method, req.url, req.headers.authorization, [...body]];
        res.end('{"label":"dog"}');
      });
    };
    const client = createClient({ baseUrl: base, apiKey: 'secret' });
    const result = await client.classify(Uint8Array.of(1, 2, 3), { topK: 2, hopSeconds: 0.5 });
    expect(result).toEqual({ label: 'dog' });
    expect(seen).toEqual([
      'POST',
      '/behind/a/proxy/classify?topK=2&hopSeconds=0.5',
      'Bearer secret',
      [1, 2, 3],
    ]);
  });

  it('fails with the code, words and facts of the service', async () => {
    const problem = { code: 'undecodable-audio', detail: 'It is broken.', requestId: 'r1', status: 422 };
    answerWith(422, JSON.stringify(problem));
    expect(await rejection(createClient({ baseUrl: base }).models())).toMatchObject({
      code: 'undecodable-audio',
      message: 'It is broken.',
      details: { status: 422, requestId: 'r1' },
    });
    answerWith(429, JSON.stringify({ code: 'overloaded', detail: 'Full.' }), { 'Retry-After': '7' });
    expect(await rejection(createClient({ baseUrl: base }).models())).toMatchObject({
      code: 'overloaded',
      details: { retryAfterSeconds: 7 },
    });
  });

  it.each([
    [413, 'payload-too-large'],
    [429, 'overloaded'],
    [401, 'unauthorized'],
    [404, 'not-found'],
    [502, 'engine-unavailable'],
    [400, 'malformed-request'],
    [200, 'unreachable'],
  ])('makes sense of a proxy that answers %i in its own words: %s', async (status, code) => {
    answerWith(status, '<h1>nginx</h1>');
    expect(await rejection(createClient({ baseUrl: base }).models())).toMatchObject({ code });
  });

  it('takes a service that is not ready for an answer', async () => {
    answerWith(503, JSON.stringify({ status: 'starting', reason: 'The model is being loaded.' }));
    expect(await createClient({ baseUrl: base }).status()).toMatchObject({ status: 'starting' });
    answerWith(503, 'Bad gateway');
    expect(await rejection(createClient({ baseUrl: base }).status())).toMatchObject({
      code: 'engine-unavailable',
    });
  });

  it('tells being called off from a service that cannot be reached', async () => {
    const calledOff = new AbortController();
    answer = () => {
      calledOff.abort();
    };
    const { signal } = calledOff;
    expect(await rejection(createClient({ baseUrl: base }).models({ signal }))).toMatchObject({
      code: 'cancelled',
    });
    const nobody = createClient({ baseUrl: 'http://127.0.0.1:9' });
    expect(await rejection(nobody.status())).toMatchObject({
      code: 'unreachable',
      message: 'The service at http://127.0.0.1:9 cannot be reached.',
    });
  });
});

describe('pauses between attempts', () => {
  it('double up to a bound, are scattered by a quarter, and never undercut what the service asks for', () => {
    const [least, most] = [createBackoff(100, 1000, () => 0), createBackoff(100, 1000, () => 1)];
    expect(Array.from({ length: 6 }, () => least.next())).toEqual([100, 200, 400, 800, 1000, 1000]);
    expect([most.next(), most.next(3)]).toEqual([125, 3750]);
    most.reset();
    expect(most.next()).toBe(125);
  });
});

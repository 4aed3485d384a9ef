import { once } from 'node:events';
import type { Socket } from 'node:net';
import { until } from '../../support/fake-clock';
import { RawConnection, uploadHead } from '../../support/raw-connection';
import { startHarness, stopHarness, type Harness } from '../../support/service-harness';
import { StreamClient } from '../../support/stream-client';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({ maxBytes: 3_000_000 });
});
afterAll(() => stopHarness(harness));

/** Sends all of it, and gives what came until the connection was closed. */
async function exchange(...pieces: (string | Uint8Array)[]): Promise<string> {
  const connection = new RawConnection(harness.port);
  for (const piece of pieces) await connection.send(piece);
  return connection.untilClosed();
}

const get = (path: string, ...headers: string[]): string =>
  [`GET ${path} HTTP/1.1`, 'Host: localhost', ...headers, '', ''].join('\r\n');
const h2c = [
  'Connection: Upgrade, HTTP2-Settings',
  'Upgrade: h2c',
  'HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk',
];
const last = 'Connection: close';
const statuses = (received: string): string[] =>
  [...received.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status!);

describe('an upgrade that is not taken', () => {
  it.each(['h2c', 'TLS/1.0', 'websocket'])('to %s is ignored', async (offer) => {
    const asked = get('/healthz', 'Connection: Upgrade', `Upgrade: ${offer}`, last);
    expect(statuses(await exchange(asked))).toEqual(['200']);
  });

  it('leaves a body and pipelined requests in order, whatever is in one packet with them', async () => {
    const upload = (text: string): string => uploadHead(text.length, ...h2c) + text;
    const all = [
      get('/healthz', ...h2c),
      upload('1 1'),
      get('/readyz'),
      upload('2 1'),
      get('/nowhere', ...h2c),
      'POST /classify HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n' +
        `${h2c.join('\r\n')}\r\n\r\n3\r\n3 1\r\n0\r\n\r\n`,
      get('/healthz', last),
    ].join('');
    const expected = ['200', '200', '200', '200', '404', '200', '200'];
    const whole = await exchange(all);
    expect(statuses(whole)).toEqual(expected);
    expect([...whole.matchAll(/"label":"(\w+)"/g)].length).toBeGreaterThanOrEqual(3);
    // And in pieces that break in the middle of heads and bodies.
    const pieces = Array.from({ length: Math.ceil(all.length / 97) }, (_, k) =>
      all.slice(k * 97, k * 97 + 97),
    );
    expect(statuses(await exchange(...pieces))).toEqual(expected);
  });

  it('keeps every header, however many: they say where the body ends', async () => {
    const many = Array.from({ length: 1500 }, () => 'a: 1');
    expect(statuses(await exchange(uploadHead(3, ...many, ...h2c, last) + '1 1'))).toEqual(['200']);
  });

  it('behind one offered with it, WebSocket, is not in its way', async () => {
    const client = await StreamClient.open(harness.port, { headers: { upgrade: 'h2c, websocket' } });
    client.socket.close();
    expect(await client.closed()).toBe(1005);
  });
});

describe('a refused body', () => {
  const form = (boundary: string): string => `Content-Type: multipart/form-data${boundary}`;

  it.each([
    ['400, a form without a boundary', uploadHead(400_000, form('')), '400'],
    ['400, a form with an empty boundary', uploadHead(400_000, form('; boundary=')), '400'],
    ['400, an unknown option', uploadHead(400_000).replace('/classify', '/classify?x=1'), '400'],
    ['403, another site', uploadHead(400_000).replace('/classify', '/jobs'), '403'],
    ['404', uploadHead(400_000).replace('/classify', '/nowhere'), '404'],
    ['405', uploadHead(400_000).replace('/classify', '/healthz'), '405'],
    ['406', uploadHead(400_000, 'Accept: image/png'), '406'],
    ['415', uploadHead(400_000, 'Content-Encoding: gzip'), '415'],
    ['a body that nobody wants', uploadHead(400_000).replace('POST /classify', 'GET /healthz'), '200'],
  ])('that is short is read to its end, and the next request answered: %s', async (_, head, status) => {
    const asked = head.includes('/jobs')
      ? head.replace('Host: test', 'Host: test\r\nOrigin: https://a.example')
      : head;
    const connection = new RawConnection(harness.port);
    await connection.send(asked);
    await connection.send(Buffer.alloc(400_000));
    await connection.send(get('/readyz', last));
    expect(statuses(await connection.untilClosed())).toEqual([status, '200']);
  });

  it('that is long is not: the answer says close, comes through, and FIN is behind it', async () => {
    const connection = new RawConnection(harness.port);
    const closed = once(connection.socket, 'end');
    await connection.send(uploadHead(2_000_000, form('')));
    await connection.send(Buffer.alloc(1_500_000));
    await closed;
    expect(connection.received).toMatch(/^HTTP\/1\.1 400 [^]*Connection: close[^]*lacks the boundary/i);
    // Still being thrown away, so that no reset takes the answer from who has not read it yet.
    await connection.send(Buffer.alloc(400_000));
    connection.hangUp();
  });

  it('that was asked for with Expect is refused instead of called for, on every route', async () => {
    for (const path of ['/jobs', '/nowhere', '/classify?x=1']) {
      const head = uploadHead(300, 'Expect: 100-continue', 'Origin: https://a.example').replace(
        '/classify',
        path,
      );
      const received = await exchange(head);
      expect(statuses(received)).toHaveLength(1);
      expect(received).toMatch(/^HTTP\/1\.1 40[0-9][^]*Connection: close/i);
    }
  });

  it('without a byte is refused, and the service goes on', async () => {
    for (const path of ['/classify', '/datasets?name=x', '/jobs', '/models/a/promote']) {
      const received = await exchange(`POST ${path} HTTP/1.1\r\nHost: localhost\r\n${last}\r\n\r\n`);
      expect(Number(statuses(received)[0])).toBeGreaterThanOrEqual(400);
    }
    expect(await exchange(`POST /classify HTTP/1.1\r\nHost: localhost\r\n${last}\r\n\r\n`)).toContain(
      'send the recording itself as the body, or as the file',
    );
  });
});

describe('a client that has finished sending', () => {
  it.each([
    ['GET', get('/healthz'), '200'],
    ['POST', uploadHead(3) + '1 1', '200'],
    ['several requests', get('/healthz') + get('/readyz'), '200,200'],
    ['a request that breaks off', uploadHead(9) + '1 1', '400'],
  ])('is answered: %s', async (_, text, expected) => {
    const connection = new RawConnection(harness.port);
    await connection.send(text);
    connection.socket.end();
    expect(statuses(await connection.untilClosed()).join()).toBe(expected);
  });

  it('is answered when that takes a while, and its answer is whole', async () => {
    harness.inference.hold();
    const onEngine = harness.inference.nextBatch();
    const connection = new RawConnection(harness.port);
    await connection.send(uploadHead(3) + '1 1');
    connection.socket.end();
    await onEngine;
    // The first bytes are sent ahead, to find out whether it is still there.
    await until(() => connection.received.length >= 2);
    expect('HTTP/1.1 '.startsWith(connection.received)).toBe(true);
    harness.inference.release();
    const received = await connection.untilClosed();
    expect(received).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(received).toContain('"label":"rain"');
  });
});

describe('what is no request', () => {
  it('because nothing ever came is closed without an answer that nobody asked for', async () => {
    // Node's clock for heads is minutes of test time: its message is what is tried.
    const late = Object.assign(new Error('late'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
    harness.server.once('connection', (socket: Socket) => harness.server.emit('clientError', late, socket));
    const ahead = new RawConnection(harness.port);
    expect(await ahead.untilClosed()).toBe('');
    const begun = new RawConnection(harness.port);
    const [socket] = (await once(harness.server, 'connection')) as [Socket];
    await begun.send('GET / HT');
    await until(() => socket.bytesRead > 0);
    harness.server.emit('clientError', late, socket);
    expect(await begun.untilClosed()).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('for its size is 431', async () => {
    const received = await exchange(get('/readyz', `Cookie: ${'x'.repeat(17 * 1024)}`));
    expect(received).toMatch(/^HTTP\/1\.1 431 [^]*"headers-too-large"/);
  });

  it.each([
    ['no Host', 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n', '400'],
    ['two of them', get('/healthz', 'Host: x', last), '400'],
    [
      'another transfer coding',
      uploadHead(3, 'Transfer-Encoding: gzip, chunked', last).replace(/Content-L.*\r\n/, ''),
      '501',
    ],
    ['CONNECT', 'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n', '405'],
  ])('is refused in words: %s', async (_, text, status) => {
    const received = await exchange(text);
    expect(statuses(received)).toEqual([status]);
    expect(received).toContain('application/problem+json');
  });

  it.each([
    ['HTTP/1.0, without Host', 'GET /healthz HTTP/1.0\r\n\r\n', '200'],
    ['all of the server', `OPTIONS * HTTP/1.1\r\nHost: x\r\n${last}\r\n\r\n`, '204'],
    ['an absolute target', get('http://localhost/healthz', last), '200'],
    ['an absolute target without a path', get('http://localhost', last), '200'],
    ['an encoded letter', get('/%68ealthz', last), '200'],
    ['another expectation', get('/healthz', 'Expect: wonders', last), '200'],
    ['a slash behind', get('/healthz/', last), '200'],
    [
      'chunks with extensions and trailers',
      `POST /classify HTTP/1.1\r\nHost: x\r\n${last}\r\nTransfer-Encoding: chunked\r\nTrailer: Digest\r\n\r\n` +
        '3;a=b\r\n1 1\r\n0\r\nDigest: x\r\n\r\n',
      '200',
    ],
  ])('in an unusual form is answered: %s', async (_, text, status) => {
    expect(statuses(await exchange(text))).toEqual([status]);
  });

  it('or no handshake, is refused as everything else is', async () => {
    const asked = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 7'];
    const received = await exchange(get('/stream', ...asked, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='));
    expect(received).toMatch(/^HTTP\/1\.1 400 [^]*Sec-WebSocket-Version: 13\r\n[^]*"malformed-request"/);
  });

  it('opens a stream as REST routes are found: with a slash, an absolute target, a query', async () => {
    for (const path of ['/stream/', '/stream?x=1', '/%73tream', `http://localhost:${harness.port}/stream`]) {
      const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
      const connection = new RawConnection(harness.port);
      await connection.send(get(path, ...upgrade, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='));
      expect(await connection.until('\r\n\r\n')).toMatch(/^HTTP\/1\.1 101 /);
      connection.hangUp();
    }
  });
});

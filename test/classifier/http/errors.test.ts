import { classificationSchema } from '../../../shared/contracts/classification';
import { setTimeout } from 'node:timers/promises';
import request from 'supertest';
import { problemSchema } from '../../../shared/contracts/problem';
import { RawConnection, uploadHead } from '../../support/raw-connection';
import { startHarness, stopHarness, type Harness } from '../../support/service-harness';

let harness: Harness;

beforeAll(async () => {
  harness = await startHarness({ maxBytes: 1000, idleMs: 200 });
});
afterAll(() => stopHarness(harness));

const post = (query = ''): request.Test => request(harness.server).post(`/classify${query}`);

function expectProblem(response: request.Response, status: number, code: string): void {
  expect(harness.admission.unanswered).toBe(0);
  expect({ status: response.status, type: response.headers['content-type'] }).toEqual({
    status,
    type: 'application/problem+json',
  });
  const problem = problemSchema.parse(response.body);
  expect(problem).toMatchObject({ status, code, type: `/problems/${code}` });
  expect(problem.requestId).toBe(response.headers['x-request-id']);
  expect(response.text).not.toMatch(/\bat .*\.(js|ts)|node_modules/);
}

describe('what is wrong with a recording', () => {
  it.each([
    ['unsupported-media', 415],
    ['undecodable-audio', 422],
    ['empty-audio', 422],
    ['non-finite-audio', 422],
    ['clip-too-long', 422],
  ])('%s is answered with %i and what the decoder said', async (code, status) => {
    const response = await post().send(Buffer.from(code));
    expectProblem(response, status, code);
    expect(response.body).toMatchObject({ detail: `Failed with ${code}.`, format: 'mp3' });
  });

  it('says only that a defect of ours is ours, and logs it', async () => {
    harness.logLines.length = 0;
    const response = await post().send(Buffer.from('defect'));
    expectProblem(response, 500, 'internal');
    expect(response.text).not.toContain('secret');
    const logged = harness.logLines.find(({ level }) => level === 50);
    expect(JSON.stringify(logged)).toContain('TypeError: secret');
    expect(logged).toMatchObject({ requestId: response.body.requestId });
  });
});

describe('what is wrong on our side', () => {
  it.each(['internal', 'invalid-checkpoint'])('%s is not explained to strangers', async (code) => {
    const response = await post().send(Buffer.from(code));
    expectProblem(response, 500, code);
    expect(response.text).not.toMatch(/Failed with|mp3/);
  });
});

describe('what is wrong with a request', () => {
  const wav = Buffer.from('1 1');

  it.each([
    ['a file in another field', () => post().attach('sound', wav, 'a.wav'), 'the field "sound"'],
    [
      'two files',
      () => post().attach('audio', wav, 'a.wav').attach('audio', wav, 'b.wav'),
      '2 parts "audio"',
    ],
    [
      'a text field beside the file',
      () => post().field('topK', '3').attach('audio', wav, 'a.wav'),
      'the field "topK", which is not known here. The option topK goes into the query',
    ],
    ['a file’s name for the file', () => post().field('audio', 'dog.wav'), 'with an @ before its name'],
    [
      'an empty form',
      () => post().type('multipart/form-data; boundary=x').send('--x--\r\n'),
      'form is empty',
    ],
    ['an empty body', () => post(), 'empty'],
    ['an empty file', () => post().attach('audio', Buffer.alloc(0), 'a.wav'), 'empty'],
    [
      'a form without a boundary',
      () => post().set('Content-Type', 'multipart/form-data').send('abc'),
      'lacks the boundary',
    ],
    [
      'a form with an empty boundary',
      () => post().set('Content-Type', 'multipart/form-data; boundary=').send('abc'),
      'lacks the boundary',
    ],
    [
      'a form with another boundary than its own',
      () => post().set('Content-Type', 'multipart/form-data; boundary=x').send('--y\r\n\r\nabc\r\n--y--\r\n'),
      'closing boundary is missing',
    ],
    [
      'a form that breaks off',
      () =>
        post()
          .type('multipart/form-data; boundary=x')
          .send('--x\r\nContent-Disposition: form-data; name="audio"; filename="a"\r\n\r\nabc'),
      'well-formed',
    ],
  ])('%s is malformed', async (_, send, why) => {
    const response = await send();
    expectProblem(response, 400, 'malformed-request');
    expect(response.body.detail).toContain(why);
  });

  it('lists each problem of a query', async () => {
    const response = await post('?topK=0&hopSeconds=x&format=xml&topk=3').send(wav);
    expectProblem(response, 400, 'malformed-request');
    expect(problemSchema.parse(response.body).problems!.map(({ at }) => at)).toEqual([
      'topK',
      'hopSeconds',
      'format',
      '',
    ]);
  });

  it('says which options there are when it does not know one', async () => {
    const { body } = await post('?topk=3').send(wav);
    expect(body).toMatchObject({
      detail: expect.stringMatching(/"topk"; known here: topK, .*format/),
    });
  });

  it.each([
    'topK=1.5',
    'topK=',
    'topK=1&topK=2',
    'topK=1e3',
    'hopSeconds=0',
    'hopSeconds=-1',
    'hopSeconds=6',
  ])('refuses the query %s', async (query) => {
    expectProblem(await post(`?${query}`).send(wav), 400, 'malformed-request');
  });

  it('says which hop would do when one makes too many windows', async () => {
    const response = await post('?hopSeconds=0.1').send(Buffer.from('1 60'));
    expectProblem(response, 400, 'malformed-request');
    // 55 s beyond the first window in at most 63 steps.
    expect(response.body.detail).toMatch(/551 windows and 64 is the most: use hopSeconds 0\.88/);
    expect((await post('?hopSeconds=0.88').send(Buffer.from('1 60'))).status).toBe(200);
  });

  it('judges a recording of more windows than may wait, at half a window or more', async () => {
    const { status, body } = await post().send(Buffer.from('1 170'));
    const { windows } = classificationSchema.parse(body);
    expect([status, windows.length, windows.at(-1)!.startSeconds]).toEqual([200, 67, 165]);
    const finer = await post('?hopSeconds=2').send(Buffer.from('1 170'));
    expect([finer.status, finer.body.detail]).toEqual([
      400,
      expect.stringContaining('use hopSeconds 2.5 or'),
    ]);
  });

  it('says 404 where there is nothing', async () => {
    expectProblem(await request(harness.server).get('/clasify'), 404, 'not-found');
    expectProblem(await request(harness.server).get('/problems/unknown'), 404, 'not-found');
    expectProblem(await request(harness.server).get('/problems/%E0%A4%A'), 400, 'malformed-request');
  });

  it.each([
    ['get', '/classify', 'OPTIONS, POST'],
    ['put', '/classify', 'OPTIONS, POST'],
    ['post', '/healthz', 'GET, HEAD, OPTIONS'],
    ['delete', '/models', 'GET, HEAD, OPTIONS'],
  ] as const)('says 405 to %s %s and what is allowed', async (method, path, allow) => {
    const response = await request(harness.server)[method](path);
    expectProblem(response, 405, 'method-not-allowed');
    expect(response.headers['allow']).toBe(allow);
    const options = await request(harness.server).options(path);
    expect([options.status, options.headers['allow']]).toEqual([204, allow]);
  });

  it('says 406 before it reads the body when no form of answer is acceptable', async () => {
    expectProblem(await post().set('Accept', 'image/png').send(wav), 406, 'not-acceptable');
  });

  it.each(['gzip', 'br', 'identity, gzip'])('refuses a body in Content-Encoding %s', async (encoding) => {
    expectProblem(await post().set('Content-Encoding', encoding).send(wav), 415, 'unsupported-media');
  });

  it('takes Content-Encoding identity for none', async () => {
    expect((await post().set('Content-Encoding', 'identity').send(wav)).status).toBe(200);
  });

  it('answers bytes that are no HTTP with a problem document', async () => {
    const connection = new RawConnection(harness.port);
    await connection.send('nonsense\r\n\r\n');
    const received = await connection.untilClosed();
    expect(received).toMatch(
      /^HTTP\/1\.1 400 Bad Request\r\n[^]*application\/problem\+json[^]*"malformed-request"/,
    );
  });

  it('explains each kind of problem where its type points', async () => {
    const { body } = await request(harness.server).get('/problems/overloaded');
    expect(body).toEqual({
      type: '/problems/overloaded',
      title: 'Too much to do',
      status: 429,
      code: 'overloaded',
    });
  });
});

describe('an upload that is too large', () => {
  it('is refused by its announced length before a byte of it is read', async () => {
    const connection = new RawConnection(harness.port);
    await connection.send(uploadHead(2_000_000));
    const received = await connection.until('"payload-too-large"');
    expect(received).toMatch(/^HTTP\/1\.1 413 [^]*Connection: close[^]*"maxBytes":1000/i);
    connection.hangUp();
  });

  it('is refused while it streams as soon as it exceeds the limit, though its end has not come', async () => {
    const connection = new RawConnection(harness.port);
    await connection.send('POST /classify HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n');
    await connection.send(`3e8\r\n${'x'.repeat(1000)}\r\n`);
    expect(connection.received).toBe('');
    await connection.send('1\r\nx\r\n');
    expect(await connection.until('"payload-too-large"')).toMatch(/^HTTP\/1\.1 413 /);
    connection.hangUp();
  });

  it('is refused while it streams in a form, too', async () => {
    const connection = new RawConnection(harness.port);
    await connection.send(
      'POST /classify HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n' +
        'Content-Type: multipart/form-data; boundary=x\r\n\r\n',
    );
    const head = '--x\r\nContent-Disposition: form-data; name="audio"; filename="a"\r\n\r\n';
    const body = head + 'x'.repeat(20_000);
    await connection.send(`${body.length.toString(16)}\r\n${body}\r\n`);
    expect(await connection.until('"payload-too-large"')).toMatch(/^HTTP\/1\.1 413 /);
    connection.hangUp();
  });

  it('is not read without bound: the connection closes when its sender does not stop', async () => {
    const connection = new RawConnection(harness.port);
    await connection.send('POST /classify HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n');
    const closed = connection.untilClosed();
    let sent = 0;
    while (!connection.socket.destroyed && sent < 50_000_000) {
      await connection.send(`3e8\r\n${'x'.repeat(1000)}\r\n`);
      sent += 1000;
    }
    expect(await closed).toMatch(/^HTTP\/1\.1 413 /);
    expect(sent).toBeLessThan(10_000_000);
  });

  it('gets its answer through to a client that reads none before it has sent everything', async () => {
    const roomy = await startHarness({ maxBytes: 4_000_000 });
    const connection = new RawConnection(roomy.port);
    connection.socket.pause();
    await connection.send(uploadHead(4_000_001));
    await connection.send(Buffer.alloc(3_999_000));
    connection.socket.resume();
    expect(await connection.until('"payload-too-large"')).toMatch(/^HTTP\/1\.1 413 /);
    connection.hangUp();
    await stopHarness(roomy);
  });

  it('of exactly the limit is taken, in a form and bare', async () => {
    const exact = Buffer.from('1 1'.padEnd(1000));
    expect((await post().send(exact)).status).toBe(200);
    expect((await post().attach('audio', exact, 'a.wav')).status).toBe(200);
    const above = Buffer.from('1 1'.padEnd(1001));
    expectProblem(await post().attach('audio', above, 'a.wav'), 413, 'payload-too-large');
  });
});

describe('an upload that takes its time', () => {
  it('is given up with 408 when nothing comes for a while', async () => {
    const connection = new RawConnection(harness.port);
    await connection.send(`${uploadHead(100)}some`);
    expect(await connection.until('"request-timeout"')).toMatch(/^HTTP\/1\.1 408 /);
    connection.hangUp();
  });

  it('is read to its end as long as something comes', async () => {
    const patient = await startHarness({ idleMs: 1000 });
    const connection = new RawConnection(patient.port);
    await connection.send(uploadHead(6, 'Connection: close'));
    for (const piece of ['1 ', '1.', '50']) {
      await setTimeout(400);
      await connection.send(piece);
    }
    expect(await connection.untilClosed()).toContain('HTTP/1.1 200 OK');
    await stopHarness(patient);
  });

  it('is told to go on only when it may: 100 Continue, or the refusal instead', async () => {
    const fine = new RawConnection(harness.port);
    await fine.send(uploadHead(3, 'Expect: 100-continue', 'Connection: close'));
    expect(await fine.until('\r\n\r\n')).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    await fine.send('1 1');
    expect(await fine.untilClosed()).toContain('HTTP/1.1 200 OK');

    const refused = new RawConnection(harness.port);
    await refused.send(uploadHead(5000, 'Expect: 100-continue'));
    expect(await refused.until('"payload-too-large"')).toMatch(/^HTTP\/1\.1 413 /);
    refused.hangUp();
  });
});

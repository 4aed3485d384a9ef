import { once } from 'node:events';
import request from 'supertest';
import { deferred } from '../../../shared/runtime/deferred';
import { classificationSchema } from '../../../shared/contracts/classification';
import type { ModelList } from '../../../shared/contracts/service-status';
import type { Inference } from '../../../shared/compute/inference/inference';
import { drain } from '../../../services/classifier/drain';
import { until } from '../../support/fake-clock';
import { FakeInference } from '../../support/fake-inference';
import { RawConnection, uploadHead } from '../../support/raw-connection';
import {
  noModels,
  startHarness,
  stopHarness,
  type Harness,
  type HarnessOptions,
} from '../../support/service-harness';

let harness: Harness;

async function start(options: HarnessOptions = {}): Promise<void> {
  harness = await startHarness(options);
}
afterEach(() => stopHarness(harness));

const post = (text: string): request.Test =>
  request(harness.server).post('/classify').send(Buffer.from(text));
const ready = (): request.Test => request(harness.server).get('/readyz');

describe('when there is too much to do', () => {
  it('refuses with 429 and Retry-After before the body is read, and takes recordings again afterwards', async () => {
    await start({ maxRequests: 2 });
    harness.inference.hold();
    const accepted = [post('1 1'), post('2 1')].map(async (sent) => (await sent).status);
    await until(() => harness.admission.unanswered === 2);

    const refused = new RawConnection(harness.port);
    await refused.send(uploadHead(500));
    const received = await refused.until('"overloaded"');
    expect(received).toMatch(/^HTTP\/1\.1 429 Too Many Requests\r\n[^]*Retry-After: [1-9]\d*\r\n/);
    // The recording still comes, and is thrown away; the connection is as good as before.
    await refused.send('x'.repeat(500));
    await refused.send('GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n');
    expect(await refused.until('200 OK')).toMatch(/"overloaded"/);
    refused.hangUp();

    harness.inference.release();
    expect(await Promise.all(accepted)).toEqual([200, 200]);
    expect((await post('3 1')).status).toBe(200);
  });

  it('refuses a clip whose windows do not all fit into the queue, and leaves those before it alone', async () => {
    await start({ maxQueuedItems: 6 });
    harness.inference.hold();
    const onEngine = harness.inference.nextBatch();
    const first = post('1 1').then(({ status }) => status);
    await onEngine;
    const second = post('2 12').then(({ body }) => classificationSchema.parse(body).windows.length);
    await until(() => harness.batcher.queuedItems === 4);
    const refused = await post('3 10');
    expect([refused.status, refused.body.code]).toEqual([429, 'overloaded']);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    expect(refused.body.retryAfterSeconds).toBe(Number(refused.headers['retry-after']));
    harness.inference.release();
    expect(await first).toBe(200);
    expect(await second).toBe(4);
  });

  it.each([
    ['decoded', 'hold'],
    ['classified', '1 1'],
  ])('gives up with 503 what is not %s in time', async (_, recording) => {
    await start({ deadlineMs: 30 });
    harness.inference.hold();
    const late = await post(recording);
    expect([late.status, late.body.code]).toEqual([503, 'engine-unavailable']);
    expect(late.headers['retry-after']).toBeDefined();
    expect(harness.admission.unanswered).toBe(0);
  });
});

describe('a deadline of the caller’s own', () => {
  const within = (seconds: string, text = '1 1'): request.Test =>
    post(text).set('X-Request-Timeout', seconds);

  it('is kept: who would wait longer is refused at once, others are not', async () => {
    await start();
    // The engine takes 200 ms a window; then eight wait.
    harness.inference.hold();
    const onEngine = harness.inference.nextBatch();
    const first = post('1 1').then(({ status }) => status);
    await onEngine;
    await new Promise((resolve) => setTimeout(resolve, 200));
    harness.inference.release();
    expect(await first).toBe(200);
    harness.inference.hold();
    const waiting = [post('2 12'), post('3 12')].map((sent) => sent.then(({ status }) => status));
    await until(() => harness.batcher.queuedItems === 4);

    const startedMs = performance.now();
    const refused = await within('0.9');
    expect(performance.now() - startedMs).toBeLessThan(500);
    expect([refused.status, refused.body.code]).toEqual([429, 'overloaded']);
    // Four on the engine and four in the queue, 200 ms each.
    expect(Number(refused.headers['retry-after'])).toBe(2);
    const patient = within('30').then(({ status }) => status);
    await until(() => harness.batcher.queuedItems === 5);
    harness.inference.release();
    expect(await Promise.all([...waiting, patient])).toEqual([200, 200, 200]);
  });

  it('that passes all the same is answered with 429: nothing is broken', async () => {
    await start();
    harness.inference.hold();
    const late = await within('0.05');
    expect([late.status, late.body.code]).toEqual([429, 'overloaded']);
    expect(harness.admission.unanswered).toBe(0);
  });

  it.each(['soon', '-1', '0', '1e3'])('of %s is refused', async (value) => {
    await start();
    const refused = await within(value);
    expect([refused.status, refused.body.code]).toEqual([400, 'malformed-request']);
  });
});

describe('while the model is being loaded', () => {
  it('is alive but not ready and refuses recordings with 503 and Retry-After', async () => {
    const loading = deferred<Inference>();
    await start({ start: () => loading.promise });
    expect((await request(harness.server).get('/healthz')).body).toEqual({ status: 'alive' });
    expect(await ready()).toMatchObject({
      status: 503,
      body: { status: 'starting', reason: 'The model is being loaded.' },
    });
    const refused = await post('1 1');
    expect([refused.status, refused.body.code]).toEqual([503, 'starting']);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);

    loading.resolve(new FakeInference());
    await harness.service.started;
    expect((await ready()).status).toBe(200);
    expect((await post('1 1')).status).toBe(200);
  });
});

describe('when the inference thread dies', () => {
  it('loses nothing it accepted: the batch is answered by the next thread', async () => {
    const first = new FakeInference();
    const second = new FakeInference();
    const restarted = deferred<Inference>();
    const starts: Promise<Inference>[] = [Promise.resolve(first), restarted.promise];
    await start({ start: () => starts.shift()! });
    await harness.service.started;
    first.hold();
    const onEngine = first.nextBatch();
    const accepted = post('1 12').then(({ status, body }) => ({ status, windows: body.windows.length }));
    await onEngine;
    first.die('out of memory');

    await until(() => harness.model.state.status === 'unavailable');
    expect(await ready()).toMatchObject({
      status: 503,
      body: { status: 'unavailable', reason: expect.stringContaining('out of memory') },
    });
    const refused = await post('2 1');
    expect([refused.status, refused.body.code]).toEqual([503, 'engine-unavailable']);

    restarted.resolve(second);
    expect(await accepted).toEqual({ status: 200, windows: 4 });
    expect((await ready()).status).toBe(200);
    expect(await harness.metrics.registry.metrics()).toContain('\nearshot_engine_lost_total 1\n');
  });
});

describe('when it is told to stop', () => {
  it('is not ready at once, refuses newcomers with Connection: close and finishes what it accepted', async () => {
    await start();
    harness.inference.hold();
    const keptAlive = new RawConnection(harness.port);
    await keptAlive.send(`${uploadHead(3)}1 1`);
    await until(() => harness.admission.unanswered === 1);
    const stopped = drain(harness.service, 10_000);

    expect(await ready()).toMatchObject({ status: 503, body: { status: 'draining' } });
    const refused = await post('2 1');
    expect([refused.status, refused.body.code, refused.headers['connection']]).toEqual([
      503,
      'draining',
      'close',
    ]);
    expect(refused.headers['retry-after']).toBeDefined();

    harness.inference.release();
    expect(await keptAlive.untilClosed()).toContain('"label":"rain"');
    expect(await stopped).toBe(true);
    expect(harness.inference.closed).toBe(true);
    expect(harness.server.listening).toBe(false);
  });

  it('does not keep a connection whose answer went out after the doors closed', async () => {
    const listing = deferred<ModelList>();
    await start({ listModels: () => listing.promise });
    const connection = new RawConnection(harness.port);
    const heard = once(harness.server, 'request');
    await connection.send('GET /models HTTP/1.1\r\nHost: test\r\n\r\n');
    await heard;
    const stopped = drain(harness.service, 10_000);
    await until(() => !harness.server.listening);
    listing.resolve(noModels);
    expect(await connection.untilClosed()).toContain('HTTP/1.1 200 OK');
    expect(await stopped).toBe(true);
  });

  it('finishes an upload that is still coming in', async () => {
    await start();
    const slow = new RawConnection(harness.port);
    await slow.send(`${uploadHead(3)}1 `);
    await until(() => harness.admission.unanswered === 1);
    const stopped = drain(harness.service, 10_000);
    await slow.send('1');
    expect(await slow.untilClosed()).toContain('HTTP/1.1 200 OK');
    expect(await stopped).toBe(true);
  });

  it('does not wait longer than told for what does not finish', async () => {
    await start();
    harness.inference.hold();
    const never = new RawConnection(harness.port);
    await never.send(`${uploadHead(3)}1 1`);
    await until(() => harness.admission.unanswered === 1);
    expect(await drain(harness.service, 20)).toBe(false);
    await never.untilClosed();
  });
});

import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { problemSchema } from '../../../shared/contracts/problem';
import { FakeJobQueue } from '../../support/fake-job-queue';
import { startHarness, stopHarness, type Harness } from '../../support/service-harness';

let harness: Harness;
let jobs: FakeJobQueue;
beforeEach(async () => {
  jobs = new FakeJobQueue();
  harness = await startHarness({ jobs });
});
afterEach(() => stopHarness(harness));

const url = (path: string): string => `http://127.0.0.1:${harness.port}${path}`;
const wanted = { kind: 'train', architecture: 'cnn', hyperparameters: { epochs: 2 } };
const submit = (body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(url('/jobs'), {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  });

describe('POST /jobs', () => {
  it('answers 202 with the job and where it is', async () => {
    const response = await submit(wanted);
    expect([response.status, response.headers.get('location')]).toEqual([202, '/jobs/job-1']);
    expect(await response.json()).toMatchObject({
      id: 'job-1',
      state: 'queued',
      request: { ...wanted, seed: 1 },
    });
  });

  it('answers a repeated key with the same job, and another body under it with 409', async () => {
    const key = { 'idempotency-key': 'k1' };
    const answers = [await submit(wanted, key), await submit(wanted, key)];
    expect(await Promise.all(answers.map(async (a) => ((await a.json()) as { id: string }).id))).toEqual([
      'job-1',
      'job-1',
    ]);
    expect((await submit({ ...wanted, seed: 2 }, key)).status).toBe(409);
    expect((await submit(wanted, { 'idempotency-key': 'x'.repeat(256) })).status).toBe(400);
    expect(jobs.history.size).toBe(1);
  });

  it.each<[string, unknown, Record<string, string>, number, string]>([
    ['no JSON', '{', {}, 400, 'cannot be read'],
    ['another type', 'a=1', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'application/json'],
    ['a text', JSON.stringify(wanted), { 'content-type': 'text/plain' }, 415, 'application/json'],
    ['too much', JSON.stringify({ ...wanted, x: 'x'.repeat(40_000) }), {}, 413, 'too large'],
    ['an unknown word', { ...wanted, dogs: 1 }, {}, 400, 'dogs'],
    ['a wrong value', { ...wanted, hyperparameters: { epochs: 0 } }, {}, 400, 'hyperparameters.epochs'],
    [
      'heads of a network without attention',
      { ...wanted, architecture: 'cnn', hyperparameters: { heads: 2 } },
      {},
      400,
      'hyperparameters.heads: cnn has none; it has learningRate, batchSize, epochs, dropout, batchNorm',
    ],
    [
      'epochs of what is fitted to its optimum',
      { ...wanted, architecture: 'small', hyperparameters: { epochs: [5, 9] } },
      {},
      400,
      'hyperparameters.epochs',
    ],
    ['no such dataset', { ...wanted, dataset: 'none' }, {}, 400, 'There is no dataset none'],
    [
      'a fold to test on that is the one to validate on',
      { ...wanted, protocol: { testFold: 3, validationFold: 3 } },
      {},
      400,
      'protocol.testFold and protocol.validationFold are both 3',
    ],
    [
      'a test fold that is the validation fold nobody named',
      { ...wanted, protocol: { testFold: 2 } },
      {},
      400,
      'protocol.testFold and protocol.validationFold are both 2',
    ],
  ])('refuses %s in words', async (_, body, headers, status, words) => {
    const response = await submit(body, headers);
    expect(response.status).toBe(status);
    expect(problemSchema.parse(await response.json()).detail).toContain(words);
    expect(jobs.history.size).toBe(0);
  });
});

describe('jobs', () => {
  it('are listed newest first, by state, and a few at a time', async () => {
    for (let k = 0; k < 3; k++) await submit(wanted);
    jobs.change('job-2', { state: 'running' });
    const ids = async (query: string): Promise<string[]> => {
      const { jobs: listed } = (await (await fetch(url(`/jobs${query}`))).json()) as {
        jobs: { id: string }[];
      };
      return listed.map(({ id }) => id);
    };
    expect(await ids('')).toEqual(['job-3', 'job-2', 'job-1']);
    expect(await ids('?state=running')).toEqual(['job-2']);
    expect(await ids('?limit=1')).toEqual(['job-3']);
    for (const bad of ['?state=lost', '?limit=0', '?limit=501', '?page=2']) {
      expect((await fetch(url(`/jobs${bad}`))).status).toBe(400);
    }
    expect((await fetch(url('/jobs/none'))).status).toBe(404);
  });

  it('are cancelled and resumed', async () => {
    await submit(wanted);
    const cancelled = await fetch(url('/jobs/job-1'), { method: 'DELETE' });
    expect([cancelled.status, ((await cancelled.json()) as { state: string }).state]).toEqual([
      200,
      'cancelled',
    ]);
    expect((await fetch(url('/jobs/job-1'), { method: 'DELETE' })).status).toBe(409);
    const resumed = await fetch(url('/jobs/job-1/resume'), { method: 'POST' });
    expect([resumed.status, ((await resumed.json()) as { state: string }).state]).toEqual([202, 'queued']);
    expect((await fetch(url('/jobs/job-1/resume'), { method: 'POST' })).status).toBe(409);
  });
});

describe('GET /jobs/:id/events', () => {
  /** A reader as a browser's EventSource is one. */
  async function listen(
    headers: Record<string, string> = {},
  ): Promise<{ response: IncomingMessage; text: () => string }> {
    const request = get(url('/jobs/job-1/events'), { headers });
    request.on('error', () => undefined);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    response.on('error', () => undefined);
    return { response, text: () => text };
  }
  const eventsIn = (text: string): (string | undefined)[] =>
    [...text.matchAll(/^id: (\d+)\nevent: job\ndata: (.*)\n\n/gm)].map(
      ([, id, data]) => `${id!} ${(JSON.parse(data!) as { state: string }).state}`,
    );
  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise((resolve) => setImmediate(resolve));
  }
  beforeEach(() => submit(wanted));

  it('tells every change as it comes, through proxies, and ends with the job', async () => {
    const { response, text } = await listen();
    expect(response.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    });
    await until(() => eventsIn(text()).length === 1);
    jobs.change('job-1', { state: 'running' });
    await until(() => eventsIn(text()).length === 2);
    jobs.change('job-1', { state: 'finished' });
    await once(response, 'end');
    expect(eventsIn(text())).toEqual(['1 queued', '2 running', '3 finished']);
  });

  it('goes on behind Last-Event-ID; who has seen the end gets 204', async () => {
    jobs.change('job-1', { state: 'running' });
    jobs.change('job-1', { state: 'failed' });
    const { response, text } = await listen({ 'last-event-id': '1' });
    await once(response, 'end');
    expect(eventsIn(text())).toEqual(['2 running', '3 failed']);
    expect((await listen({ 'last-event-id': '3' })).response.statusCode).toBe(204);
    expect((await listen({ 'last-event-id': 'x' })).response.statusCode).toBe(400);
  });

  it('forgets a reader that hangs up', async () => {
    const { response } = await listen();
    await jobs.until(() => jobs.readers === 1);
    response.destroy();
    await jobs.until(() => jobs.readers === 0);
    expect(jobs.readers).toBe(0);
  });

  it('is for 16 readers of one caller', async () => {
    const readers = [];
    for (let k = 0; k < 16; k++) readers.push(await listen());
    const refused = await listen();
    expect([refused.response.statusCode, refused.response.headers['retry-after']]).toEqual([429, '10']);
    readers[0]!.response.destroy();
    await jobs.until(() => jobs.readers === 15);
    expect((await listen()).response.statusCode).toBe(200);
    readers.forEach(({ response }) => response.destroy());
  });

  it('ends when the service shuts down, and the job goes on', async () => {
    const { response, text } = await listen();
    await until(() => eventsIn(text()).length === 1);
    await harness.admission.drain();
    await once(response, 'end');
    expect(jobs.history.get('job-1')!.at(-1)!.state).toBe('queued');
    expect((await fetch(url('/jobs/job-1/events'))).status).toBe(503);
  });
});

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Redis from 'ioredis';
import { z } from 'zod';
import { newRecord, type JobRecord } from '../../shared/jobs/job-record';
import { createJobFixture, tinyRequest, type JobFixture } from '../support/job-fixture';
import { publishRandomModel } from '../support/random-model';
import { describeWith } from '../support/needs';
import { RedisProcess, redisServer } from '../support/redis-process';
import { ServiceProcess } from '../support/service-process';

const finished = (id: string, more: object = {}): JobRecord => {
  const record = newRecord(id, tinyRequest());
  const job = { ...record.job, state: 'finished' as const, finishedAt: record.job.createdAt };
  return { ...record, ready: false, job: { ...job, ...more } };
};
/** What stands in a store beside good records, by id. */
const stored: Readonly<Record<string, string>> = {
  good: JSON.stringify(finished('good')),
  newer: JSON.stringify({ ...finished('newer', { priority: 7 }), shard: 'b' }),
  cut: JSON.stringify(finished('cut')).slice(0, 60),
  empty: '',
  'other-shape': '{"job":{"id":"other-shape"},"new":1}',
  'other-state': JSON.stringify(finished('other-state', { state: 'paused' })),
  'other-name': JSON.stringify(finished('somebody')),
};
/** What a client needs of the list. */
const listSchema = z.object({
  jobs: z.array(z.object({ id: z.string(), state: z.string(), error: z.unknown().optional() })),
  unreadable: z.array(z.object({ id: z.string(), reason: z.string() })).optional(),
});
const bad = ['cut', 'empty', 'other-name', 'other-shape', 'other-state'];

let fixture: JobFixture;
let service: ServiceProcess | undefined;

beforeAll(async () => {
  fixture = await createJobFixture();
  await publishRandomModel(join(fixture.folder, 'models'), 'cnn-test-1');
});
afterEach(async () => {
  await service?.kill();
});
afterAll(() => fixture.remove());

async function start(env: Readonly<Record<string, string>>): Promise<string> {
  const folders = { MODELS_DIR: join(fixture.folder, 'models'), RUNS_DIR: join(fixture.folder, 'runs') };
  service = new ServiceProcess({ ...folders, DATA_DIR: join(fixture.folder, 'data'), ...env });
  const url = await service.url();
  await service.line('loaded and warmed up');
  return url;
}

async function jobHeaders(): Promise<Record<string, string>> {
  return { ...(await service!.adminHeaders()), 'Content-Type': 'application/json' };
}

async function list(url: string): Promise<z.infer<typeof listSchema>> {
  const answer = await fetch(`${url}/jobs`);
  expect(answer.status).toBe(200);
  return listSchema.parse(await answer.json());
}

/** All that holds of a service whose store holds `stored`. */
async function assertOthersAreThere(url: string): Promise<void> {
  const { jobs, unreadable = [] } = await list(url);
  expect(jobs.map(({ id }) => id).sort()).toEqual(['good', 'newer']);
  expect(unreadable.map(({ id }) => id).sort()).toEqual(bad);
  for (const id of bad) {
    expect(await service!.lineWith({ job: id, level: 40 })).toBeDefined();
    const answer = await fetch(`${url}/jobs/${id}`);
    expect([answer.status, await answer.text()]).toEqual([409, expect.stringContaining(id)]);
  }
  const body = JSON.stringify(tinyRequest());
  const headers = await jobHeaders();
  const posted = await fetch(`${url}/jobs`, { method: 'POST', headers, body });
  expect(posted.status).toBe(202);
  expect((await list(url)).jobs).toHaveLength(3);
}

describe('a record of a job that cannot be read', () => {
  it('hides no other on disk, and stays as it is', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'earshot-records-'));
    for (const [id, text] of Object.entries(stored)) await writeFile(join(folder, `${id}.json`), text);
    await mkdir(join(folder, 'folder.json'));
    const url = await start({ JOBS_DIR: folder });
    await expect(list(url)).resolves.toMatchObject({
      unreadable: expect.arrayContaining([{ id: 'folder', reason: expect.stringContaining('EISDIR') }]),
    });
    await rm(join(folder, 'folder.json'), { recursive: true });
    await service!.kill();
    await assertOthersAreThere(await start({ JOBS_DIR: folder }));
    for (const id of bad) expect(await readFile(join(folder, `${id}.json`), 'utf8')).toBe(stored[id]);
    await rm(folder, { recursive: true });
  });

  describeWith(redisServer)('in Redis', () => {
    it('hides no other, and stays as it is', async () => {
      const redis = await RedisProcess.start();
      const client = new Redis(redis.url);
      try {
        await client.hset('earshot:jobs', stored);
        await assertOthersAreThere(await start({ REDIS_URL: redis.url }));
        for (const id of bad) expect(await client.hget('earshot:jobs', id)).toBe(stored[id]);
      } finally {
        client.disconnect();
        await redis.remove();
      }
    });
  });
});

describe('a file that a starting job needs and that cannot be written', () => {
  it('fails the job, and nothing else', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'earshot-records-'));
    const url = await start({ JOBS_DIR: folder });
    const headers = await jobHeaders();
    const post = (): Promise<Response> =>
      fetch(`${url}/jobs`, { method: 'POST', headers, body: JSON.stringify(tinyRequest()) });
    const first = (await (await post()).json()) as { readonly id: string };
    await (await fetch(`${url}/jobs/${first.id}/events`)).text();
    await mkdir(join(folder, 'child.lock'));
    const second = (await (await post()).json()) as { readonly id: string };
    const events = await (await fetch(`${url}/jobs/${second.id}/events`)).text();
    expect(events).toContain('could not be noted');
    const { jobs } = await list(url);
    expect(jobs.find(({ id }) => id === second.id)).toMatchObject({
      state: 'failed',
      error: { message: expect.stringContaining('EISDIR') },
    });
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    await service!.kill();
    await rm(folder, { recursive: true });
  });
});

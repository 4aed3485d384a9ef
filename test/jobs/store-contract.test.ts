import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createJobQueue } from '../../shared/jobs/create-job-queue';
import { openFileStore } from '../../shared/jobs/file-store';
import { newRecord, type JobRecord } from '../../shared/jobs/job-record';
import { updateRecord, type JobStore } from '../../shared/jobs/job-store';
import { connectWithRetries } from '../../shared/jobs/redis-connection';
import { openRedisStore } from '../../shared/jobs/redis-store';
import { tinyRequest } from '../support/job-fixture';
import { describeWith } from '../support/needs';
import { RedisProcess, redisServer } from '../support/redis-process';

let folder: string;
let redis: RedisProcess | undefined;
const closing: (() => void)[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-stores-'));
  if (redisServer.isMet()) redis = await RedisProcess.start();
});

afterAll(async () => {
  for (const close of closing) close();
  await redis?.remove();
  await rm(folder, { recursive: true, force: true });
});

const openFile = (): Promise<JobStore> => openFileStore(join(folder, 'store'));
const openRedis = (): Promise<JobStore> => {
  const { url } = redis!;
  const [client, subscriber] = [connectWithRetries(url), connectWithRetries(url)];
  closing.push(() => {
    client.disconnect();
    subscriber.disconnect();
  });
  return Promise.resolve(openRedisStore({ client, subscriber, reach: (commands) => commands() }));
};

const waiting = (id: string, key?: string): JobRecord =>
  newRecord(id, tinyRequest(), key === undefined ? {} : { key });

describe('a store of jobs on disk', () => {
  testStore(openFile);
});
describeWith(redisServer)('a store of jobs in Redis', () => {
  testStore(openRedis);
});

function testStore(open: () => Promise<JobStore>): void {
  it('adds no job where too many wait, but a known key and runs of jobs; one that is taken or forgotten makes room', async () => {
    const store = await open();
    expect((await store.insert([waiting('a', 'k')], 2))?.job.id).toBe('a');
    expect((await store.insert([waiting('b')], 2))?.job.id).toBe('b');
    expect(await store.insert([waiting('c')], 2)).toBeUndefined();
    expect(await store.read('c')).toBeUndefined();
    expect((await store.insert([waiting('d', 'k')], 2))?.job.id).toBe('a');
    expect((await store.insert([newRecord('a-1', tinyRequest(), { parent: 'a' })]))?.job.id).toBe('a-1');
    await updateRecord(store, 'a', (record) => ({ ...record, job: { ...record.job, state: 'running' } }));
    expect((await store.insert([waiting('c')], 2))?.job.id).toBe('c');
    expect(await store.insert([waiting('e')], 2)).toBeUndefined();
    await store.remove(['b']);
    expect((await store.insert([waiting('e')], 2))?.job.id).toBe('e');
    // Opened again, it knows the same.
    const again = await open();
    expect(await again.insert([waiting('f')], 2)).toBeUndefined();
    expect((await again.insert([waiting('g', 'k')], 2))?.job.id).toBe('a');
    await again.remove(['a', 'a-1']);
    expect((await again.insert([waiting('g', 'k')], 3))?.job.id).toBe('g');
  });

  it('is not read whole for a new job', async () => {
    const store = await open();
    const all = jest.spyOn(store, 'all');
    const queue = createJobQueue(store, () => Promise.resolve());
    expect((await queue.submit(tinyRequest({}, { seed: 77 }), 'another key')).created).toBe(true);
    expect((await queue.submit(tinyRequest({}, { seed: 77 }), 'another key')).created).toBe(false);
    expect(all).not.toHaveBeenCalled();
  });
}

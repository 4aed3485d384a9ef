import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../services/classifier/config';
import { composeJobs } from '../../services/classifier/compose-jobs';
import { openFileStore } from '../../shared/jobs/file-store';
import { newRecord } from '../../shared/jobs/job-record';
import { sweepRuns } from '../../shared/jobs/sweep-runs';
import type { Job } from '../../shared/contracts/job';
import { quiet, tinyRequest } from '../support/job-fixture';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-leftovers-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const hourMs = 3_600_000;
const now = new Date('2026-06-01T12:00:00Z');
const hoursAgo = (hours: number): Date => new Date(now.getTime() - hours * hourMs);

describe('folders of jobs', () => {
  it('go some time after a job finished, after the job is forgotten where it might be resumed, and never before', async () => {
    const store = await openFileStore(join(folder, 'jobs'));
    const ended = (state: Job['state'], hours: number): Partial<Job> => ({
      state,
      finishedAt: hoursAgo(hours).toISOString(),
    });
    const jobs: Readonly<Record<string, Partial<Job>>> = {
      finished: ended('finished', 25),
      'just-finished': ended('finished', 23),
      failed: ended('failed', 999),
      cancelled: ended('cancelled', 999),
      'failed-1': { ...ended('finished', 999), parent: 'failed' },
      'finished-1': { ...ended('finished', 26), parent: 'finished' },
      running: { state: 'running' },
      queued: { state: 'queued' },
    };
    for (const [id, changes] of Object.entries(jobs)) {
      const record = newRecord(id, tinyRequest());
      await store.insert([{ ...record, job: { ...record.job, ...changes } }]);
    }
    const leftovers = {
      runsFolder: join(folder, 'runs'),
      modelsFolder: join(folder, 'models'),
      keepMs: 24 * hourMs,
    };
    const forgotten = { forgotten: hoursAgo(25), 'just-forgotten': hoursAgo(23) };
    const places = [join(folder, 'runs', 'jobs'), join(folder, 'models', '.jobs')];
    for (const place of places) {
      for (const id of [...Object.keys(jobs), ...Object.keys(forgotten)]) {
        await mkdir(join(place, id, 'run'), { recursive: true });
        await writeFile(join(place, id, 'run', 'state.bin'), 'x');
        await utimes(join(place, id), hoursAgo(999), hoursAgo(999));
      }
      for (const [id, time] of Object.entries(forgotten)) await utimes(join(place, id), time, time);
    }
    await mkdir(join(folder, 'runs', 'a-run-by-hand'));
    await sweepRuns(store, leftovers, now);
    const kept = ['cancelled', 'failed', 'failed-1', 'just-finished', 'just-forgotten', 'queued', 'running'];
    for (const place of places) expect((await readdir(place)).sort()).toEqual(kept);
    expect((await readdir(join(folder, 'runs'))).sort()).toEqual(['a-run-by-hand', 'jobs']);
    await store.remove(['failed', 'failed-1', 'cancelled']);
    await sweepRuns(store, leftovers, now);
    for (const place of places) {
      expect((await readdir(place)).sort()).toEqual(['just-finished', 'just-forgotten', 'queued', 'running']);
    }
  });
});

describe('a service without a job', () => {
  it('answers questions about jobs, and keeps no folder before the first one comes', async () => {
    const JOBS_DIR = join(folder, 'jobs');
    const config = loadConfig({
      JOBS_DIR,
      RUNS_DIR: join(folder, 'runs'),
      MODELS_DIR: join(folder, 'models'),
    });
    const jobs = composeJobs(config, quiet);
    try {
      expect(await jobs.list()).toEqual([]);
      expect(await jobs.survey()).toEqual({ jobs: [], oldestWaiting: undefined });
      await expect(jobs.get('none')).rejects.toMatchObject({ code: 'not-found' });
      await expect(jobs.cancel('none')).rejects.toMatchObject({ code: 'not-found' });
      expect(existsSync(JOBS_DIR)).toBe(false);
      const { job } = await jobs.submit(tinyRequest());
      expect(existsSync(JOBS_DIR)).toBe(true);
      expect((await jobs.list()).map(({ id }) => id)).toEqual([job.id]);
      await jobs.cancel(job.id);
    } finally {
      await jobs.close();
    }
  });
});

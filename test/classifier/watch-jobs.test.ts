import { watchJobs } from '../../services/classifier/watch-jobs';
import type { Job } from '../../shared/contracts/job';
import type { JobSurvey } from '../../shared/jobs/job-queue';
import { Metrics } from '../../shared/observability/metrics';
import { tinyRequest } from '../support/job-fixture';

function job(id: string, changes: Partial<Job> = {}): Job {
  const createdAt = '2026-06-01T12:00:00Z';
  return { id, request: tinyRequest(), state: 'queued', createdAt, attempts: 0, ...changes };
}

describe('the metrics of jobs', () => {
  let survey: JobSurvey | Error;
  let asked: number;
  let nowMs: number;
  let metrics: Metrics;

  beforeEach(() => {
    [survey, asked, nowMs] = [{ jobs: [], oldestWaiting: undefined }, 0, 0];
    metrics = new Metrics([]);
    const look = (): Promise<JobSurvey> => {
      asked += 1;
      return survey instanceof Error ? Promise.reject(survey) : Promise.resolve(survey);
    };
    watchJobs(metrics.jobs, { survey: look }, () => nowMs);
  });

  /**
   * What a scrape says of jobs, series that are 0 aside; `later` than the one before by more than is
   * remembered.
   */
  async function scrape(later = 20_000): Promise<Record<string, number>> {
    nowMs += later;
    const lines = (await metrics.registry.metrics()).split('\n');
    const series = lines
      .map((line) => /^(earshot_jobs?[^ ]*) (\S+)$/.exec(line))
      .filter((found) => found !== null);
    const values = series.map(([, name, value]) => [name!, Number(value)] as const);
    return Object.fromEntries(values.filter(([name, value]) => value !== 0 && !name.includes('_bucket')));
  }

  it('count jobs and runs by state, and say how long the oldest has waited', async () => {
    const jobs = [
      job('a', { state: 'running' }),
      job('a-1', { parent: 'a', state: 'running' }),
      job('a-2', { parent: 'a' }),
      job('b'),
      job('c'),
    ];
    survey = { jobs, oldestWaiting: new Date(Date.now() - 100_000) };
    const { earshot_job_oldest_waiting_seconds: age, ...counts } = await scrape();
    expect(age).toBeGreaterThanOrEqual(100);
    expect(age).toBeLessThan(130);
    expect(counts).toEqual({
      'earshot_jobs{kind="job",state="running"}': 1,
      'earshot_jobs{kind="job",state="queued"}': 2,
      'earshot_jobs{kind="run",state="running"}': 1,
      'earshot_jobs{kind="run",state="queued"}': 1,
      earshot_job_queue_reachable: 1,
    });
    await scrape(0);
    expect(asked).toBe(1);
  });

  it('tell of a job that ends how long it took and how often it was begun, once, and not of those from before', async () => {
    const end: Partial<Job> = {
      startedAt: '2026-06-01T12:00:10Z',
      finishedAt: '2026-06-01T12:01:40Z',
      attempts: 3,
    };
    const before = job('old', { ...end, state: 'finished' });
    survey = { jobs: [before, job('new')], oldestWaiting: undefined };
    await scrape();
    survey = { jobs: [before, job('new', { ...end, state: 'failed' })], oldestWaiting: undefined };
    const expected = {
      'earshot_jobs{kind="job",state="finished"}': 1,
      'earshot_jobs{kind="job",state="failed"}': 1,
      'earshot_job_duration_seconds_sum{kind="job",state="failed"}': 90,
      'earshot_job_duration_seconds_count{kind="job",state="failed"}': 1,
      'earshot_job_attempts_sum{kind="job"}': 3,
      'earshot_job_attempts_count{kind="job"}': 1,
      earshot_job_queue_reachable: 1,
    };
    await scrape(); // finds it ended: the next one tells
    expect(await scrape()).toEqual(expected);
    expect(await scrape()).toEqual(expected);
  });

  it('say when the queue cannot be asked', async () => {
    survey = new Error('gone');
    expect(await scrape()).toEqual({ earshot_job_oldest_waiting_seconds: NaN });
  });
});

import { jobStateSchema, type Job } from '../../shared/contracts/job';
import type { JobQueue } from '../../shared/jobs/job-queue';
import { isEnded } from '../../shared/jobs/job-record';
import {
  jobLevels,
  type JobFigures,
  type JobLevel,
  type JobMetrics,
} from '../../shared/observability/job-metrics';

/** All jobs are read for it: not more often than this. */
const freshMs = 10_000;

/**
 * Shows at each scrape how many jobs there are and how long one waits, and counts those that ended since
 * the scrape before (the next one tells). Where several services ask one queue, each tells all of it:
 * take the maximum, not the sum.
 * @param now milliseconds of any clock that is not set back
 */
export function watchJobs(metrics: JobMetrics, jobs: Pick<JobQueue, 'survey'>, now: () => number): void {
  let latest: { readonly readMs: number; readonly figures: Promise<JobFigures | undefined> } | undefined;
  /** Ids; undefined before the first look: what had ended by then was counted by others. */
  let ended: ReadonlySet<string> | undefined;
  const look = async (): Promise<JobFigures> => {
    const { jobs: all, oldestWaiting } = await jobs.survey();
    const before = ended;
    const after = all.filter(isEnded);
    if (before !== undefined) {
      for (const job of after) if (!before.has(job.id)) countEnded(metrics, job);
    }
    ended = new Set(after.map(({ id }) => id));
    return figuresOf(all, oldestWaiting);
  };
  metrics.watch(() => {
    if (latest === undefined || now() - latest.readMs > freshMs) {
      latest = { readMs: now(), figures: look().catch(() => undefined) };
    }
    return latest.figures;
  });
}

function countEnded(metrics: JobMetrics, job: Job): void {
  const { state, startedAt, finishedAt, attempts } = job;
  const kind = levelOf(job);
  metrics.attempts.observe({ kind }, attempts);
  if (startedAt === undefined || finishedAt === undefined) return;
  metrics.seconds.observe(
    { kind, state },
    Math.max(0, Date.parse(finishedAt) - Date.parse(startedAt)) / 1000,
  );
}

function figuresOf(all: readonly Job[], oldestWaiting: Date | undefined): JobFigures {
  return {
    counts: jobLevels.flatMap((kind) =>
      jobStateSchema.options.map((state) => ({
        kind,
        state,
        jobs: all.filter((job) => job.state === state && levelOf(job) === kind).length,
      })),
    ),
    oldestWaitingSeconds:
      oldestWaiting === undefined ? 0 : Math.max(0, Date.now() - oldestWaiting.getTime()) / 1000,
  };
}

function levelOf({ parent }: Job): JobLevel {
  return parent === undefined ? 'job' : 'run';
}

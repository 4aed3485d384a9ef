import { Gauge, Histogram, type Registry } from 'prom-client';
import type { JobState } from '../contracts/job';

/** The state of all jobs at one moment. */
export interface JobFigures {
  /** Number of jobs of each kind and state; combinations without jobs are absent. */
  readonly counts: readonly { readonly kind: JobLevel; readonly state: JobState; readonly jobs: number }[];
  readonly oldestWaitingSeconds: number;
}

/** A job is what a user requested; a run is one of the children of a job. */
export const jobLevels = ['job', 'run'] as const;
export type JobLevel = (typeof jobLevels)[number];

/** The metrics of training jobs. */
export class JobMetrics {
  readonly #registers: Registry[];
  readonly seconds;
  readonly attempts;

  constructor(registry: Registry) {
    this.#registers = [registry];
    this.seconds = new Histogram({
      name: 'earshot_job_duration_seconds',
      help: 'Jobs and runs that ended, from the first attempt to the end, as every service on the queue tells.',
      labelNames: ['kind', 'state'] as const,
      buckets: [1, 10, 60, 300, 900, 3600, 3 * 3600, 12 * 3600, 86_400],
      registers: this.#registers,
    });
    this.attempts = new Histogram({
      name: 'earshot_job_attempts',
      help: 'How often a worker began a job or run that ended: more than once where one was lost, or it was resumed.',
      labelNames: ['kind'] as const,
      buckets: [1, 2, 3, 5, 10, 20],
      registers: this.#registers,
    });
    for (const kind of jobLevels) {
      this.attempts.zero({ kind });
      for (const state of ['finished', 'failed', 'cancelled']) this.seconds.zero({ kind, state });
    }
  }

  /**
   * Registers gauges that show the result of `look` at a scrape. Each gauge calls it, so `look` should
   * cache its result. Where it returns undefined, the gauges have no value.
   */
  watch(look: () => Promise<JobFigures | undefined>): void {
    const gauge = <Label extends string>(
      name: string,
      help: string,
      labelNames: readonly Label[],
      show: (gauge: Gauge<Label>, figures: JobFigures | undefined) => void,
    ): void => {
      const shown = new Gauge<Label>({
        name: `earshot_${name}`,
        help,
        labelNames,
        registers: this.#registers,
        collect: async () => {
          show(shown, await look());
        },
      });
    };
    gauge('jobs', 'Jobs, and their runs, that are kept.', ['kind', 'state'], (shown, figures) => {
      shown.reset();
      for (const { jobs, ...labels } of figures?.counts ?? []) shown.set(labels, jobs);
    });
    gauge(
      'job_oldest_waiting_seconds',
      'How long the job or run that waits longest has waited.',
      [],
      (shown, figures) => {
        shown.set(figures?.oldestWaitingSeconds ?? NaN);
      },
    );
    gauge('job_queue_reachable', '1 while the queue of jobs can be asked.', [], (shown, figures) => {
      shown.set(figures === undefined ? 0 : 1);
    });
  }
}

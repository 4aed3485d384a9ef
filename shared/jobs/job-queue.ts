import type { Job, JobRequest, JobState } from '../contracts/job';
import type { UnreadableRecord } from './job-record';

/** A job as it was after a change; `id` counts up within a job, so that a reader can go on where it was. */
export interface JobEvent {
  readonly id: number;
  readonly job: Job;
}

/** All jobs, runs among them, for who counts them. */
export interface JobSurvey {
  readonly jobs: readonly Job[];
  /** Since when the one waits that has waited longest. */
  readonly oldestWaiting: Date | undefined;
}

/**
 * Where jobs wait, and what is known of them. Whatever `submit` has answered outlives this process, its workers and the
 * machine's power.
 */
export interface JobQueue {
  /**
   * Accepts a job; the same key with the same request is the same job.
   * @throws AppError conflict when the key came with another request, overloaded when too many wait, unreachable when the
   * queue's store cannot be reached
   */
  submit(
    request: JobRequest,
    idempotencyKey?: string,
  ): Promise<{ readonly job: Job; readonly created: boolean }>;
  /** @throws AppError not-found, unreachable */
  get(id: string): Promise<Job>;
  /** The newest first. */
  list(filter?: { readonly state?: JobState; readonly limit?: number }): Promise<readonly Job[]>;
  /** Jobs whose records this version cannot read. */
  unreadable(): Promise<readonly UnreadableRecord[]>;
  survey(): Promise<JobSurvey>;
  /**
   * The job as it is, then after every change, until it has ended or `signal` aborts.
   * @param after the id of the last event that the reader has seen
   */
  events(
    id: string,
    options: { readonly after?: number; readonly signal: AbortSignal },
  ): AsyncIterable<JobEvent>;
  /** Stops it, and its runs; its checkpoint stays. @throws AppError not-found, conflict when it has ended */
  cancel(id: string): Promise<Job>;
  /** Goes on with a cancelled or failed job from its last epoch. @throws AppError not-found, conflict */
  resume(id: string): Promise<Job>;
  /** What is wrong with the place where jobs are kept, though it can be used: sentences for who looks after it. */
  warnings(): readonly string[];
  close(): Promise<void>;
}

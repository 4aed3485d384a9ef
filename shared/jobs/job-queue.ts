import type { Job, JobState } from '../contracts/job';
import type { JobRequest } from '../contracts/job-kinds';
import type { UnreadableRecord } from './job-record';

/**
 * A job after a change. `id` increases with each change of the job, so that a reader can continue after
 * the last one.
 */
export interface JobEvent {
  readonly id: number;
  readonly job: Job;
}

/** All jobs, including the children of jobs, for metrics. */
export interface JobSurvey {
  readonly jobs: readonly Job[];
  /** Since when the oldest waiting job has waited; undefined when none waits. */
  readonly oldestWaiting: Date | undefined;
}

/**
 * The queue of training jobs and their state. Everything that `submit` has accepted survives the end of
 * this process, of its workers and a power failure.
 */
export interface JobQueue {
  /**
   * Accepts a job. The same key with the same request returns the same job.
   * @throws AppError conflict when the key was used with another request, overloaded when too many jobs
   * wait, unreachable when the store cannot be reached
   */
  submit(
    request: JobRequest,
    idempotencyKey?: string,
  ): Promise<{ readonly job: Job; readonly created: boolean }>;
  /** @throws AppError not-found, unreachable */
  get(id: string): Promise<Job>;
  /** Returns jobs, the newest first. */
  list(filter?: { readonly state?: JobState; readonly limit?: number }): Promise<readonly Job[]>;
  /** Returns the jobs whose records this version cannot read. */
  unreadable(): Promise<readonly UnreadableRecord[]>;
  survey(): Promise<JobSurvey>;
  /**
   * Yields the job, and again after every change, until it has ended or `signal` aborts.
   * @param after the id of the last event that the reader has seen
   */
  events(
    id: string,
    options: { readonly after?: number; readonly signal: AbortSignal },
  ): AsyncIterable<JobEvent>;
  /**
   * Stops a job and its children; its checkpoint stays.
   * @throws AppError not-found, conflict when it has ended
   */
  cancel(id: string): Promise<Job>;
  /**
   * Continues a cancelled or failed job from its last epoch.
   * @throws AppError not-found, conflict
   */
  resume(id: string): Promise<Job>;
  /** Problems of the store that do not prevent its use, as sentences for the operator. */
  warnings(): readonly string[];
  close(): Promise<void>;
}

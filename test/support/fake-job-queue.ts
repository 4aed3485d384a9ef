import { isDeepStrictEqual } from 'node:util';
import type { Job } from '../../shared/contracts/job';
import type { JobRequest } from '../../shared/contracts/job-kinds';
import { AppError } from '../../shared/errors/app-error';
import type { JobEvent, JobQueue, JobSurvey } from '../../shared/jobs/job-queue';

/** A queue in memory without workers: the test says what becomes of a job. */
export class FakeJobQueue implements JobQueue {
  readonly history = new Map<string, Job[]>();
  readonly keys = new Map<string, string>();
  /** Readers of events that have not left. */
  readers = 0;
  #changed: (() => void)[] = [];

  submit(request: JobRequest, idempotencyKey?: string): Promise<{ job: Job; created: boolean }> {
    const known = idempotencyKey === undefined ? undefined : this.keys.get(idempotencyKey);
    if (known !== undefined) {
      const job = this.#latest(known);
      if (isDeepStrictEqual(job.request, request)) return Promise.resolve({ job, created: false });
      return Promise.reject(new AppError('conflict', 'This key came with another request before.'));
    }
    const id = `job-${this.history.size + 1}`;
    const job: Job = { id, request, state: 'queued', createdAt: '2026-01-02T03:04:05Z', attempts: 0 };
    this.history.set(id, [job]);
    if (idempotencyKey !== undefined) this.keys.set(idempotencyKey, id);
    return Promise.resolve({ job, created: true });
  }

  /** What a worker would do. */
  change(id: string, changes: Partial<Job>): void {
    this.history.get(id)!.push({ ...this.#latest(id), ...changes });
    for (const heard of this.#changed.splice(0)) heard();
  }

  /** Resolves at the next change of readers. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#changed.push(resolve));
  }

  async get(id: string): Promise<Job> {
    return Promise.resolve().then(() => this.#latest(id));
  }

  list({ state, limit = 100 }: { state?: Job['state']; limit?: number } = {}): Promise<readonly Job[]> {
    const jobs = [...this.history.keys()].reverse().map((id) => this.#latest(id));
    return Promise.resolve(jobs.filter((job) => state === undefined || job.state === state).slice(0, limit));
  }

  unreadable(): Promise<readonly never[]> {
    return Promise.resolve([]);
  }

  warnings(): readonly string[] {
    return [];
  }

  survey(): Promise<JobSurvey> {
    const jobs = [...this.history.keys()].map((id) => this.#latest(id));
    const waiting = jobs
      .filter(({ state }) => state === 'queued')
      .map(({ createdAt }) => new Date(createdAt));
    return Promise.resolve({ jobs, oldestWaiting: waiting[0] });
  }

  async *events(
    id: string,
    { after = 0, signal }: { readonly after?: number; readonly signal: AbortSignal },
  ): AsyncGenerator<JobEvent> {
    this.#readers(1);
    const aborted = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => {
        resolve();
      });
    });
    try {
      for (let next = after; !signal.aborted;) {
        const states = this.history.get(id)!;
        while (next < states.length) yield { id: next + 1, job: states[next++]! };
        if (['finished', 'failed', 'cancelled'].includes(states.at(-1)!.state)) return;
        await Promise.race([aborted, new Promise<void>((resolve) => this.#changed.push(resolve))]);
      }
    } finally {
      this.#readers(-1);
    }
  }

  async cancel(id: string): Promise<Job> {
    const { state } = await this.get(id);
    if (state === 'cancelled') throw new AppError('conflict', 'The job is cancelled already.');
    this.change(id, { state: 'cancelled' });
    return this.#latest(id);
  }

  async resume(id: string): Promise<Job> {
    const { state } = await this.get(id);
    if (state !== 'cancelled') throw new AppError('conflict', `The job is ${state}.`);
    this.change(id, { state: 'queued' });
    return this.#latest(id);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #readers(change: number): void {
    this.readers += change;
    for (const heard of this.#changed.splice(0)) heard();
  }

  #latest(id: string): Job {
    const job = this.history.get(id)?.at(-1);
    if (job === undefined) throw new AppError('not-found', `There is no job ${id}.`);
    return job;
  }
}

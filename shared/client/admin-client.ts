import type { DatasetDetails, DatasetList } from '../contracts/dataset.js';
import type { Job } from '../contracts/job.js';
import type { NewJob } from '../contracts/job-kinds.js';
import type { GateCheck } from '../contracts/lifecycle.js';
import type { ServingChange } from '../contracts/service-status.js';
import { ask } from './ask.js';
import { followJob, type FollowOptions } from './follow-job.js';
import type { ClientOptions } from './options.js';

export interface DatasetFile {
  /** The name with its folders, separated by `/`. */
  readonly name: string;
  readonly content: Blob;
}

/**
 * What admins do: each call needs an admin key, but for those that read. All throw AppError as
 * `EarshotClient` does.
 */
export interface AdminClient {
  submitJob(job: NewJob): Promise<Job>;
  /** The newest first. */
  jobs(options?: { readonly limit?: number }): Promise<Job[]>;
  job(id: string): Promise<Job>;
  /** The job after each change, until it has ended; goes on where it was when the service comes back. */
  followJob(id: string, options: FollowOptions): AsyncGenerator<Job, void>;
  /** Its last epoch is kept. */
  cancelJob(id: string): Promise<Job>;
  resumeJob(id: string): Promise<Job>;
  /** @param waive checks of the gate that shall not count */
  promote(version: string, waive: readonly GateCheck[]): Promise<ServingChange>;
  /** Changes from the version that serves to the one before. */
  rollBack(version: string): Promise<ServingChange>;
  pin(version: string): Promise<ServingChange>;
  unpin(version: string): Promise<ServingChange>;
  /** It judges a share (0 to 1; 0.1 unless given) of what is served; its answers are compared, never sent. */
  shadow(version: string, share?: number): Promise<ServingChange>;
  unshadow(version: string): Promise<ServingChange>;
  datasets(): Promise<DatasetList>;
  dataset(name: string): Promise<DatasetDetails>;
  /** @param content recordings and a CSV, or a zip of them */
  addDataset(name: string, content: Blob | readonly DatasetFile[]): Promise<DatasetDetails>;
  removeDataset(name: string): Promise<void>;
}

/**
 * The part of the service that trains, and decides what serves, typed; runs in a browser and in Node.
 */
export function createAdminClient(options: ClientOptions & { readonly signal?: AbortSignal }): AdminClient {
  const call = async <T>(method: string, path: string, init: RequestInit = {}): Promise<T> =>
    (await ask(options, path, {
      method,
      ...init,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    })) as T;
  const json = (body: unknown): RequestInit => ({
    body: JSON.stringify(body),
    headers: { 'Content-Type': 'application/json' },
  });
  const name = encodeURIComponent;
  return {
    submitJob: (job) => call('POST', 'jobs', json(job)),
    jobs: async ({ limit = 100 } = {}) => (await call<{ jobs: Job[] }>('GET', `jobs?limit=${limit}`)).jobs,
    job: (id) => call('GET', `jobs/${name(id)}`),
    followJob: (id, following) => followJob(options, id, following),
    cancelJob: (id) => call('DELETE', `jobs/${name(id)}`),
    resumeJob: (id) => call('POST', `jobs/${name(id)}/resume`),
    promote: (version, waive) => call('POST', `models/${name(version)}/promote`, json({ waive })),
    rollBack: (version) => call('POST', `models/${name(version)}/rollback`),
    pin: (version) => call('POST', `models/${name(version)}/pin`),
    unpin: (version) => call('DELETE', `models/${name(version)}/pin`),
    shadow: (version, share) => call('POST', `models/${name(version)}/shadow`, json({ share })),
    unshadow: (version) => call('DELETE', `models/${name(version)}/shadow`),
    datasets: () => call('GET', 'datasets'),
    dataset: (dataset) => call('GET', `datasets/${name(dataset)}`),
    addDataset: (dataset, content) => call('POST', `datasets?name=${name(dataset)}`, bodyOf(content)),
    removeDataset: (dataset) => call('DELETE', `datasets/${name(dataset)}`),
  };
}

function bodyOf(content: Blob | readonly DatasetFile[]): RequestInit {
  if (content instanceof Blob) return { body: content, headers: { 'Content-Type': 'application/zip' } };
  const form = new FormData();
  for (const file of content) form.append('file', file.content, file.name);
  return { body: form };
}

import type { Request } from 'express';
import { z } from 'zod';
import { jobSchema, jobStateSchema } from '../../../../shared/contracts/job';
import {
  datasetOf,
  foldsAskedBy,
  jobRequestSchema,
  newJobSchema,
  type JobRequest,
} from '../../../../shared/contracts/job-kinds';
import { AppError, type ErrorCode } from '../../../../shared/errors/app-error';
import type { JobQueue } from '../../../../shared/jobs/job-queue';
import type { Caller } from '../../access/api-keys';
import type { DatasetStore } from '../../datasets/dataset-store';
import { operation, type Handle } from '../routing/route';
import { createJobEventsHandler, type JobEventsDeps } from './job-events';

export interface JobRoutesDeps extends JobEventsDeps {
  readonly datasets: DatasetStore;
}

/** A request for a job is a few hundred bytes. */
const maxBytes = 32 * 1024;

const idempotencyHeader = 'Idempotency-Key';
const idempotencyPattern = '^[\\x21-\\x7e]{1,255}$';

const whole = (value: unknown): unknown =>
  typeof value === 'string' && /^\d{1,6}$/.test(value) ? Number(value) : value;

/** What `GET /jobs` can be asked. */
const jobsQuerySchema = z.strictObject({
  state: jobStateSchema.optional().describe('Only jobs in this state'),
  limit: z.preprocess(whole, z.int().min(1).max(500).default(100)).describe('At most so many'),
});

/** `GET /jobs`: the newest first. */
const jobListSchema = z.object({
  jobs: z.array(jobSchema),
  unreadable: z
    .array(z.object({ id: z.string(), reason: z.string() }))
    .optional()
    .describe('Jobs whose records this version cannot read; absent: there are none'),
});

const job = { name: 'Job', schema: jobSchema };
const params = { id: 'Of the job' };
/**
 * Of whatever asks the queue: its Redis is away, or it is in a folder of an installation that does not
 * train.
 */
const queueErrors = ['unreachable', 'engine-unavailable'] as const;
const changeErrors: readonly ErrorCode[] = ['not-found', 'conflict', ...queueErrors];

const list = operation({
  method: 'get',
  path: '/jobs',
  id: 'listJobs',
  tag: 'training',
  summary: 'Jobs, the newest first',
  access: 'key',
  query: jobsQuerySchema,
  answers: { 200: { json: { name: 'JobList', schema: jobListSchema } } },
  errors: queueErrors,
  handle: ({ jobs }: JobRoutesDeps) => {
    return async ({ res, query: { state, limit } }) => {
      res.setHeader('Cache-Control', 'no-store');
      const listed = await jobs.list(state === undefined ? { limit } : { limit, state });
      const unreadable = await jobs.unreadable();
      res.json(unreadable.length === 0 ? { jobs: listed } : { jobs: listed, unreadable });
    };
  },
});

const submit = operation({
  method: 'post',
  path: '/jobs',
  id: 'submitJob',
  tag: 'training',
  summary: 'Train a network',
  description: `The same ${idempotencyHeader} with the same body is the same job.`,
  access: 'admin',
  whileOpen: true,
  headers: [
    {
      name: idempotencyHeader,
      description: 'Made up by the sender for one job',
      pattern: idempotencyPattern,
    },
  ],
  body: {
    json: 'JobRequest',
    shown: jobRequestSchema,
    checked: newJobSchema,
    required: true,
    maxBytes,
  },
  answers: {
    202: {
      json: job,
      headers: { Location: { description: 'Where the job is', schema: { type: 'string' } } },
    },
  },
  errors: [
    'conflict',
    'payload-too-large',
    'unsupported-media',
    'overloaded',
    'storage-full',
    ...queueErrors,
  ],
  handle: ({ jobs, datasets }: JobRoutesDeps) => {
    return async ({ req, res, caller, body }) => {
      const key = idempotencyKey(req, caller);
      await assertDataset(body, datasets);
      const submitted = await jobs.submit(body, key);
      res.status(202).location(`/jobs/${submitted.job.id}`).json(submitted.job);
    };
  },
});

const details = operation({
  method: 'get',
  path: '/jobs/:id',
  id: 'job',
  tag: 'training',
  summary: 'A job: its state, progress and result',
  access: 'key',
  params,
  answers: { 200: { json: job } },
  errors: ['not-found', ...queueErrors],
  handle: ({ jobs }: JobRoutesDeps) => {
    return async ({ res, param }) => {
      res.setHeader('Cache-Control', 'no-store');
      res.json(await jobs.get(param('id')));
    };
  },
});

const cancel = operation({
  method: 'delete',
  path: '/jobs/:id',
  id: 'cancelJob',
  tag: 'training',
  summary: 'Stop it; its checkpoint stays',
  access: 'admin',
  whileOpen: true,
  params,
  answers: { 200: { json: job } },
  errors: changeErrors,
  handle: changing(200, (jobs, id) => jobs.cancel(id)),
});

const resume = operation({
  method: 'post',
  path: '/jobs/:id/resume',
  id: 'resumeJob',
  tag: 'training',
  summary: 'Go on with a cancelled or failed job from its last epoch',
  access: 'admin',
  whileOpen: true,
  params,
  answers: { 202: { json: job } },
  errors: changeErrors,
  handle: changing(202, (jobs, id) => jobs.resume(id)),
});

const events = operation({
  method: 'get',
  path: '/jobs/:id/events',
  id: 'jobEvents',
  tag: 'training',
  summary: 'The job, then the job after each change, until it has ended',
  description: 'Server-sent events named `job`; their data is a Job.',
  access: 'key',
  whileOpen: true,
  params,
  headers: [
    { name: 'Last-Event-ID', description: 'Go on behind this event', pattern: String.raw`^\d{1,15}$` },
  ],
  answers: {
    200: { description: 'Events', content: { 'text/event-stream': { schema: { type: 'string' } } } },
    204: { description: 'The job has ended, and the reader has seen it' },
  },
  errors: ['malformed-request', 'not-found', 'overloaded', ...queueErrors],
  handle: createJobEventsHandler,
});

/** Reading needs what `POST /classify` needs, changing an admin. */
export const jobRoutes = [list, submit, details, cancel, events, resume];

function changing(
  status: number,
  change: (jobs: JobQueue, id: string) => Promise<unknown>,
): (deps: JobRoutesDeps) => Handle {
  return ({ jobs }) =>
    async ({ res, param }) => {
      res.status(status).json(await change(jobs, param('id')));
    };
}

/** A caller's keys are its own: another one's key never finds its job. */
function idempotencyKey(req: Request, { name }: Caller): string | undefined {
  const given = req.get(idempotencyHeader);
  if (given === undefined) return undefined;
  if (new RegExp(idempotencyPattern).test(given)) return `${name} ${given}`;
  throw new AppError(
    'malformed-request',
    `${idempotencyHeader}: expected 1 to 255 visible ASCII characters.`,
  );
}

/**
 * Refuses a job for a dataset that is missing or lacks a fold, which would otherwise fail much later.
 */
async function assertDataset(request: JobRequest, datasets: DatasetStore): Promise<void> {
  const dataset = datasetOf(request);
  if (dataset === undefined) return;
  const { classes, foldCount } = await datasets.describe(dataset).catch((caught: unknown) => {
    const missing = AppError.from(caught).code === 'not-found';
    throw missing ? new AppError('malformed-request', `dataset: ${(caught as AppError).message}`) : caught;
  });
  const folds = new Set(classes.flatMap((entry) => Object.keys(entry.folds)));
  for (const [field, fold] of Object.entries(foldsAskedBy(request))) {
    if (folds.has(String(fold))) continue;
    const has = foldCount === 0 ? 'cannot be read' : `has the folds ${[...folds].sort().join(', ')}`;
    throw new AppError('malformed-request', `${field}: there is no fold ${fold}; ${dataset} ${has}.`);
  }
}

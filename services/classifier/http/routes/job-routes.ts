import express, { type Express, type Request, type RequestHandler } from 'express';
import { z } from 'zod';
import { jobSchema, jobStateSchema, newJobSchema, type JobRequest } from '../../../../shared/contracts/job';
import { AppError } from '../../../../shared/errors/app-error';
import type { AssertAdmin } from '../../access/admin';
import type { Caller } from '../../access/api-keys';
import type { DatasetStore } from '../../datasets/dataset-store';
import { endpoint } from '../endpoint';
import { jobEventsRoute, type JobEventsDeps } from './job-events-route';
import { parseInput } from '../parse-input';

export interface JobRoutesDeps extends JobEventsDeps {
  readonly datasets: DatasetStore;
  readonly assertAdmin: AssertAdmin;
}

export const jobRoutePaths = ['/jobs', '/jobs/:id', '/jobs/:id/events', '/jobs/:id/resume'];

/** A request for a job is a few hundred bytes. */
const maxBodyBytes = '32kb';

export const idempotencyHeader = 'Idempotency-Key';
export const idempotencyPattern = '^[\\x21-\\x7e]{1,255}$';

const whole = (value: unknown): unknown =>
  typeof value === 'string' && /^\d{1,6}$/.test(value) ? Number(value) : value;

/** What `GET /jobs` can be asked. */
export const jobsQuerySchema = z.strictObject({
  state: jobStateSchema.optional().describe('Only jobs in this state'),
  limit: z.preprocess(whole, z.int().min(1).max(500).default(100)).describe('At most so many'),
});

/** `GET /jobs`: the newest first. */
export const jobListSchema = z.object({
  jobs: z.array(jobSchema),
  unreadable: z
    .array(z.object({ id: z.string(), reason: z.string() }))
    .optional()
    .describe('Jobs whose records this version cannot read; absent: there are none'),
});

/** `/jobs` and below. Reading needs what `POST /classify` needs, changing an admin. */
export function jobRoutes(app: Express, deps: JobRoutesDeps): void {
  const { jobs, identify, assertAdmin, gate } = deps;
  const verb =
    (change: (id: string) => Promise<unknown>, status: number): RequestHandler =>
    async (req, res) => {
      assertAdmin(req);
      gate.closing.throwIfAborted();
      res.status(status).json(await change(idOf(req)));
    };
  endpoint(app, '/jobs', {
    get: async (req, res) => {
      identify(req.headers);
      const { state, limit } = parseInput(jobsQuerySchema, req.query, 'query');
      res.setHeader('Cache-Control', 'no-store');
      const listed = await jobs.list({ limit, ...(state === undefined ? {} : { state }) });
      const unreadable = await jobs.unreadable();
      res.json({ jobs: listed, ...(unreadable.length === 0 ? {} : { unreadable }) });
    },
    post: submitRoute(deps),
  });
  endpoint(app, '/jobs/:id', {
    get: async (req, res) => {
      identify(req.headers);
      res.setHeader('Cache-Control', 'no-store');
      res.json(await jobs.get(idOf(req)));
    },
    delete: verb((id) => jobs.cancel(id), 200),
  });
  endpoint(app, '/jobs/:id/events', { get: jobEventsRoute(deps) });
  endpoint(app, '/jobs/:id/resume', { post: verb((id) => jobs.resume(id), 202) });
}

function submitRoute({ jobs, datasets, assertAdmin, gate }: JobRoutesDeps): RequestHandler[] {
  return [
    (req, res, next) => {
      // Whoever may not ask is told before their body is read.
      res.locals['caller'] = assertAdmin(req);
      gate.closing.throwIfAborted();
      if (req.is('application/json') === false) {
        throw new AppError('unsupported-media', 'Send the job as JSON: Content-Type: application/json.');
      }
      next();
    },
    express.json({ limit: maxBodyBytes }),
    async (req, res) => {
      const key = idempotencyKey(req, res.locals['caller'] as Caller);
      const wanted = parseInput(newJobSchema, req.body, 'body');
      await assertDataset(wanted, datasets);
      const { job } = await jobs.submit(wanted, key);
      res.status(202).location(`/jobs/${job.id}`).json(job);
    },
  ];
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

/** Said now rather than by a job that fails in an hour. */
async function assertDataset({ dataset, protocol }: JobRequest, datasets: DatasetStore): Promise<void> {
  if (dataset === undefined) return;
  const { classes, foldCount } = await datasets.describe(dataset).catch((caught: unknown) => {
    const missing = AppError.from(caught).code === 'not-found';
    throw missing ? new AppError('malformed-request', `dataset: ${(caught as AppError).message}`) : caught;
  });
  const folds = new Set(classes.flatMap((entry) => Object.keys(entry.folds)));
  for (const part of ['testFold', 'validationFold'] as const) {
    const fold = protocol[part];
    if (fold === null || folds.has(String(fold))) continue;
    const has = foldCount === 0 ? 'cannot be read' : `has the folds ${[...folds].sort().join(', ')}`;
    throw new AppError('malformed-request', `protocol.${part}: there is no fold ${fold}; ${dataset} ${has}.`);
  }
}

function idOf({ params }: Request): string {
  return String(params['id']);
}

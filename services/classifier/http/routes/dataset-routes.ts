import type { Express, Request, RequestHandler } from 'express';
import { z } from 'zod';
import { datasetNameSchema } from '../../../../shared/contracts/dataset';
import { AppError } from '../../../../shared/errors/app-error';
import { cancellation } from '../../../../shared/errors/cancellation';
import type { JobQueue } from '../../../../shared/jobs/job-queue';
import type { AssertAdmin } from '../../access/admin';
import type { Identify } from '../../access/api-keys';
import type { DatasetStore } from '../../datasets/dataset-store';
import type { Gate } from '../../access/admission';
import { readDatasetUpload, type DatasetUploadLimits } from '../body/dataset-upload';
import { endpoint } from '../endpoint';
import { parseInput } from '../parse-input';
import { contextOf } from '../request-context';

export interface DatasetRoutesDeps {
  readonly datasets: DatasetStore;
  readonly datasetLimits: DatasetUploadLimits;
  /** Asked which datasets are in use. */
  readonly jobs: JobQueue;
  readonly assertAdmin: AssertAdmin;
  readonly identify: Identify;
  readonly gate: Gate;
}

/** More jobs than may wait. */
const maxAsked = 10_000;

export const datasetRoutePaths = ['/datasets', '/datasets/:name'];

export const datasetQuerySchema = z.strictObject({
  name: datasetNameSchema.describe('What it will be called: a–z, 0–9, - and ., at most 64'),
});

/** `/datasets` and below: sounds that users bring. Reading needs what `POST /classify` needs, changing an admin. */
export function datasetRoutes(app: Express, deps: DatasetRoutesDeps): void {
  const { datasets, identify } = deps;
  endpoint(app, '/datasets', {
    get: async (req, res) => {
      identify(req.headers);
      res.setHeader('Cache-Control', 'no-store');
      res.json(await datasets.list());
    },
    post: uploadRoute(deps),
  });
  endpoint(app, '/datasets/:name', {
    get: async (req, res) => {
      identify(req.headers);
      res.setHeader('Cache-Control', 'no-store');
      res.json(await datasets.describe(nameOf(req)));
    },
    delete: async (req, res) => {
      deps.assertAdmin(req);
      const name = nameOf(req);
      const jobs = await jobsOn(name, deps.jobs);
      if (jobs.length > 0) {
        throw new AppError(
          'conflict',
          `${jobs.length === 1 ? 'A job trains' : `${jobs.length} jobs train`} on ${name}: cancel ${jobs.join(', ')} first.`,
        );
      }
      await datasets.remove(name);
      res.status(204).end();
    },
  });
}

/** Whatever can be refused is refused before the first file is read. */
function uploadRoute({ datasets, datasetLimits, assertAdmin, gate }: DatasetRoutesDeps): RequestHandler {
  return async (req, res) => {
    assertAdmin(req);
    gate.closing.throwIfAborted();
    const { name } = parseInput(datasetQuerySchema, req.query, 'query');
    await datasets.assertFree(name);
    const { signal } = contextOf(res);
    // What has come whole is finished when the service shuts down; what is still coming is not waited for.
    const arriving = AbortSignal.any([signal, gate.closing]);
    try {
      const details = await datasets.receive(
        name,
        (intake) => readDatasetUpload(req, intake, datasetLimits, arriving),
        signal,
      );
      res.status(201).location(`/datasets/${name}`).json(details);
    } catch (error) {
      throw signal.aborted ? cancellation(signal) : error;
    }
  };
}

/** Unfinished jobs that train on a dataset. */
async function jobsOn(dataset: string, queue: JobQueue): Promise<string[]> {
  const unfinished = await Promise.all([
    queue.list({ state: 'queued', limit: maxAsked }),
    queue.list({ state: 'running', limit: maxAsked }),
  ]);
  return unfinished
    .flat()
    .filter(({ request }) => request.dataset === dataset)
    .map(({ id }) => id);
}

function nameOf({ params }: Request): string {
  return String(params['name']);
}

import { z } from 'zod';
import {
  datasetDetailsSchema,
  datasetListSchema,
  datasetNameSchema,
} from '../../../../shared/contracts/dataset';
import { AppError } from '../../../../shared/errors/app-error';
import { cancellation } from '../../../../shared/errors/cancellation';
import { datasetOf } from '../../../../shared/contracts/job-kinds';
import type { JobQueue } from '../../../../shared/jobs/job-queue';
import type { Admission } from '../../access/admission';
import type { DatasetStore } from '../../datasets/dataset-store';
import { readDatasetUpload, type DatasetUploadLimits } from '../body/dataset-upload';
import { contextOf } from '../request-context';
import { operation } from '../routing/route';

export interface DatasetRoutesDeps {
  readonly datasets: DatasetStore;
  readonly datasetLimits: DatasetUploadLimits;
  /** Asked which datasets are in use. */
  readonly jobs: JobQueue;
  readonly admission: Admission;
}

/** More jobs than may wait. */
const maxAsked = 10_000;

const datasetQuerySchema = z.strictObject({
  name: datasetNameSchema.describe('What it will be called: a–z, 0–9, - and ., at most 64'),
});

const datasetDetails = { name: 'DatasetDetails', schema: datasetDetailsSchema };
const params = { name: 'Of the dataset' };

const list = operation({
  method: 'get',
  path: '/datasets',
  id: 'listDatasets',
  tag: 'training',
  summary: 'The datasets',
  access: 'key',
  answers: { 200: { json: { name: 'DatasetList', schema: datasetListSchema } } },
  errors: ['unreachable'],
  handle: ({ datasets }: DatasetRoutesDeps) => {
    return async ({ res }) => {
      res.setHeader('Cache-Control', 'no-store');
      res.json(await datasets.list());
    };
  },
});

const binary = { type: 'string', format: 'binary' };

/** Whatever can be refused is refused before the first file is read. */
const upload = operation({
  method: 'post',
  path: '/datasets',
  id: 'uploadDataset',
  tag: 'training',
  summary: 'Bring recordings to train on',
  description:
    'Recordings and a CSV with the columns filename and category, and optionally fold and source; as files of a ' +
    'form, folders in their names, or in one zip. It appears whole or not at all. Warnings do not keep it from being taken.',
  access: 'admin',
  whileOpen: true,
  query: datasetQuerySchema,
  body: {
    content: {
      'multipart/form-data': {
        schema: { type: 'object', properties: { file: { type: 'array', items: binary } } },
      },
      'application/zip': { schema: binary },
    },
  },
  answers: {
    201: {
      json: datasetDetails,
      headers: { Location: { description: 'Where the dataset is', schema: { type: 'string' } } },
    },
  },
  errors: [
    'conflict',
    'request-timeout',
    'payload-too-large',
    'unsupported-media',
    'invalid-dataset',
    'overloaded',
    'storage-full',
    'unreachable',
  ],
  handle: ({ datasets, datasetLimits, admission }: DatasetRoutesDeps) => {
    return async ({ req, res, query: { name } }) => {
      await datasets.assertFree(name);
      const { signal } = contextOf(res);
      // What has come whole is finished when the service shuts down; what is still coming is not waited
      // for.
      const arriving = AbortSignal.any([signal, admission.closing]);
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
  },
});

const details = operation({
  method: 'get',
  path: '/datasets/:name',
  id: 'dataset',
  tag: 'training',
  summary: 'What it holds, and what is wrong with it',
  access: 'key',
  params,
  answers: { 200: { json: datasetDetails } },
  errors: ['not-found', 'unreachable'],
  handle: ({ datasets }: DatasetRoutesDeps) => {
    return async ({ res, param }) => {
      res.setHeader('Cache-Control', 'no-store');
      res.json(await datasets.describe(param('name')));
    };
  },
});

const remove = operation({
  method: 'delete',
  path: '/datasets/:name',
  id: 'deleteDataset',
  tag: 'training',
  summary: 'Delete it',
  description: 'Refused while a job trains on it.',
  access: 'admin',
  params,
  answers: { 204: { description: 'Done' } },
  errors: ['not-found', 'conflict', 'unreachable', 'draining'],
  handle: ({ datasets, jobs: queue }: DatasetRoutesDeps) => {
    return async ({ res, param }) => {
      const name = param('name');
      const jobs = await jobsOn(name, queue);
      if (jobs.length > 0) {
        const train = jobs.length === 1 ? 'A job trains' : `${jobs.length} jobs train`;
        throw new AppError('conflict', `${train} on ${name}: cancel ${jobs.join(', ')} first.`);
      }
      await datasets.remove(name);
      res.status(204).end();
    };
  },
});

/** Sounds that users bring. Reading needs what `POST /classify` needs, changing an admin. */
export const datasetRoutes = [list, upload, details, remove];

/** Unfinished jobs that train on a dataset. */
async function jobsOn(dataset: string, queue: JobQueue): Promise<string[]> {
  const unfinished = await Promise.all([
    queue.list({ state: 'queued', limit: maxAsked }),
    queue.list({ state: 'running', limit: maxAsked }),
  ]);
  return unfinished
    .flat()
    .filter(({ request }) => datasetOf(request) === dataset)
    .map(({ id }) => id);
}

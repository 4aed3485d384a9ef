import { datasetDetailsSchema, datasetListSchema } from '../../../../shared/contracts/dataset';
import { jobRequestSchema, jobSchema } from '../../../../shared/contracts/job';
import type { ErrorCode } from '../../../../shared/errors/app-error';
import { datasetQuerySchema } from '../routes/dataset-routes';
import type { Json } from './json-schemas';
import { idempotencyHeader, idempotencyPattern, jobListSchema, jobsQuerySchema } from '../routes/job-routes';
import { problemResponses, queryParameters, requestIdParameter } from './openapi-parts';

/** What the routes answer, by their names in the document. */
export const jobSchemas = {
  Job: jobSchema,
  JobList: jobListSchema,
  DatasetList: datasetListSchema,
  DatasetDetails: datasetDetailsSchema,
};

/** What they are sent. */
export const jobRequestSchemas = { JobRequest: jobRequestSchema };

const reading: readonly ErrorCode[] = ['unauthorized', 'rate-limited', 'unreachable', 'internal'];
const changing: readonly ErrorCode[] = [...reading, 'forbidden', 'draining'];
const forAdmins = 'Needs an admin key.';

/** `/jobs` and `/datasets`. */
export function jobPaths(): Json {
  return {
    '/jobs': {
      get: operation(
        'listJobs',
        'Jobs, the newest first',
        [200, 'JobList'],
        ['malformed-request', ...reading],
        {
          parameters: [...queryParameters(jobsQuerySchema), requestIdParameter],
        },
      ),
      post: operation(
        'submitJob',
        'Train a network',
        [202, 'Job'],
        ['malformed-request', 'conflict', 'unsupported-media', 'overloaded', 'storage-full', ...changing],
        {
          description: `${forAdmins} The same ${idempotencyHeader} with the same body is the same job.`,
          parameters: [idempotencyParameter, requestIdParameter],
          requestBody: { required: true, content: jsonOf('JobRequest') },
          headers: { Location: { description: 'Where the job is', schema: { type: 'string' } } },
        },
      ),
    },
    '/jobs/{id}': {
      get: operation(
        'job',
        'A job: its state, progress and result',
        [200, 'Job'],
        ['not-found', ...reading],
        {
          parameters: [idParameter, requestIdParameter],
        },
      ),
      delete: operation(
        'cancelJob',
        'Stop it; its checkpoint stays',
        [200, 'Job'],
        ['not-found', 'conflict', ...changing],
        {
          description: forAdmins,
          parameters: [idParameter, requestIdParameter],
        },
      ),
    },
    '/jobs/{id}/events': { get: eventsOperation() },
    '/jobs/{id}/resume': {
      post: operation(
        'resumeJob',
        'Go on with a cancelled or failed job from its last epoch',
        [202, 'Job'],
        ['not-found', 'conflict', ...changing],
        { description: forAdmins, parameters: [idParameter, requestIdParameter] },
      ),
    },
    '/datasets': {
      get: operation('listDatasets', 'The datasets', [200, 'DatasetList'], reading, {
        parameters: [requestIdParameter],
      }),
      post: uploadOperation(),
    },
    '/datasets/{name}': {
      get: operation(
        'dataset',
        'What it holds, and what is wrong with it',
        [200, 'DatasetDetails'],
        ['not-found', ...reading],
        {
          parameters: [nameParameter, requestIdParameter],
        },
      ),
      delete: {
        ...operation('deleteDataset', 'Delete it', undefined, ['not-found', 'conflict', ...changing], {
          description: `${forAdmins} Refused while a job trains on it.`,
          parameters: [nameParameter, requestIdParameter],
        }),
      },
    },
  };
}

function eventsOperation(): Json {
  return {
    ...operation('jobEvents', 'The job, then the job after each change, until it has ended', undefined, [
      'malformed-request',
      'not-found',
      'overloaded',
      'draining',
      ...reading,
    ]),
    description: 'Server-sent events named `job`; their data is a Job.',
    parameters: [
      idParameter,
      {
        name: 'Last-Event-ID',
        in: 'header',
        required: false,
        description: 'Go on behind this event',
        schema: { type: 'string', pattern: '^\\d{1,15}$' },
      },
      requestIdParameter,
    ],
    responses: {
      200: { description: 'Events', content: { 'text/event-stream': { schema: { type: 'string' } } } },
      204: { description: 'The job has ended, and the reader has seen it' },
      ...problemResponses(['malformed-request', 'not-found', 'overloaded', 'draining', ...reading]),
    },
  };
}

function uploadOperation(): Json {
  const binary = { schema: { type: 'string', format: 'binary' } };
  const files = { type: 'array', items: { type: 'string', format: 'binary' } };
  return operation(
    'uploadDataset',
    'Bring recordings to train on',
    [201, 'DatasetDetails'],
    [
      ...([
        'malformed-request',
        'conflict',
        'request-timeout',
        'payload-too-large',
        'unsupported-media',
      ] as const),
      ...(['invalid-dataset', 'overloaded', 'storage-full'] as const),
      ...changing,
    ],
    {
      description:
        `${forAdmins} Recordings and a CSV with the columns filename and category, and optionally fold and source; as files of a ` +
        'form, folders in their names, or in one zip. It appears whole or not at all. Warnings do not keep it from being taken.',
      parameters: [...queryParameters(datasetQuerySchema), requestIdParameter],
      requestBody: {
        required: true,
        content: {
          'multipart/form-data': { schema: { type: 'object', properties: { file: files } } },
          'application/zip': binary,
        },
      },
    },
  );
}

interface More extends Json {
  readonly headers?: Json;
}

function operation(
  operationId: string,
  summary: string,
  answer: readonly [status: number, schema: string] | undefined,
  codes: readonly ErrorCode[],
  { headers, ...more }: More = {},
): Json {
  const good =
    answer === undefined
      ? { 204: { description: 'Done' } }
      : {
          [answer[0]]: {
            description: summary,
            content: jsonOf(answer[1]),
            ...(headers === undefined ? {} : { headers }),
          },
        };
  return {
    operationId,
    tags: ['training'],
    summary,
    // What changes something may answer `forbidden`, and then a key is not optional.
    security: codes.includes('forbidden') ? [{ bearer: [] }] : [{}, { bearer: [] }],
    ...more,
    responses: { ...good, ...problemResponses(codes) },
  };
}

function jsonOf(schema: string): Json {
  return { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } };
}

const idParameter = {
  name: 'id',
  in: 'path',
  required: true,
  description: 'Of the job',
  schema: { type: 'string' },
};
const nameParameter = {
  name: 'name',
  in: 'path',
  required: true,
  description: 'Of the dataset',
  schema: { type: 'string' },
};
const idempotencyParameter = {
  name: idempotencyHeader,
  in: 'header',
  required: false,
  description: 'Made up by the sender for one job',
  schema: { type: 'string', pattern: idempotencyPattern },
};

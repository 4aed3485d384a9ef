import {
  classificationSchema,
  predictionSchema,
  windowResultSchema,
} from '../../../../shared/contracts/classification';
import { problemSchema } from '../../../../shared/contracts/problem';
import {
  healthSchema,
  labelsSchema,
  modelDetailsSchema,
  modelListSchema,
  promoteRequestSchema,
  serviceStatusSchema,
  servingChangeSchema,
  shadowRequestSchema,
} from '../../../../shared/contracts/service-status';
import { scoresSchema } from '../routes/classify-answer';
import { classifyQuerySchema } from '../classify-query';
import { componentSchemas, type Json } from './json-schemas';
import { jobPaths, jobRequestSchemas, jobSchemas } from './openapi-jobs';
import { problemResponses, queryParameters, requestIdParameter } from './openapi-parts';
import { timeoutHeader, timeoutPattern } from '../server/request-timeout';
import { uploadField } from '../body/upload';

/** The schemas that requests and answers are checked with, by their names in the document. */
const named = {
  Classification: classificationSchema,
  Prediction: predictionSchema,
  WindowResult: windowResultSchema,
  Scores: scoresSchema,
  Health: healthSchema,
  ServiceStatus: serviceStatusSchema,
  Labels: labelsSchema,
  ModelList: modelListSchema,
  ModelDetails: modelDetailsSchema,
  PromoteRequest: promoteRequestSchema,
  ShadowRequest: shadowRequestSchema,
  ServingChange: servingChangeSchema,
  Problem: problemSchema,
  ...jobSchemas,
};

/** The OpenAPI 3.1 document of the service, made from the schemas it works with. */
export function openApiDocument(version: string): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Earshot',
      version,
      description: 'Send a recording, get what is to be heard in it. Errors are RFC 9457 problem documents.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    // Where this document is, so below a proxy's path, too.
    servers: [{ url: './' }],
    tags: [{ name: 'classification' }, { name: 'training' }, { name: 'operation' }],
    paths: {
      '/classify': { post: classifyOperation() },
      '/labels': { get: getOperation('labels', 'What answers name: classes, and AudioSet’s tags', 'Labels') },
      '/models': { get: getOperation('listModels', 'The versions in the registry', 'ModelList') },
      ...modelPaths(),
      ...jobPaths(),
      '/healthz': { get: getOperation('health', 'Whether the process answers at all', 'Health') },
      '/readyz': { get: readyOperation() },
      '/metrics': { get: metricsOperation() },
      '/stream': { get: streamOperation() },
    },
    components: {
      schemas: { ...componentSchemas(named, 'output'), ...componentSchemas(jobRequestSchemas, 'input') },
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'An admin key to change something; any key where `API_KEYS_FILE` asks for one',
        },
      },
    },
  };
}

function classifyOperation(): Json {
  return {
    operationId: 'classify',
    tags: ['classification'],
    summary: 'What is to be heard in a recording',
    description:
      'WAV, FLAC, MP3, Ogg Vorbis and Opus, found by content; other containers where an ffmpeg is installed. ' +
      'A clip longer than the model’s window is judged window by window; the answer is the mean over those in which a class ' +
      'is heard, or `unknown`.',
    parameters: [...queryParameters(classifyQuerySchema), requestIdParameter, timeoutParameter],
    security: [{}, { bearer: [] }],
    requestBody: {
      required: true,
      content: {
        'multipart/form-data': {
          schema: {
            type: 'object',
            required: [uploadField],
            additionalProperties: false,
            properties: { [uploadField]: { type: 'string', format: 'binary' } },
          },
        },
        'application/octet-stream': { schema: { type: 'string', format: 'binary' } },
        'audio/*': { schema: { type: 'string', format: 'binary' } },
      },
    },
    responses: {
      200: {
        description: 'The clip’s classes, most probable first',
        headers: { 'X-Request-Id': stringHeader },
        content: {
          'application/json': { schema: { oneOf: [reference('Classification'), reference('Scores')] } },
          'text/plain': { schema: { type: 'string' }, example: ' 93.1 %  dog\n  4.0 %  rooster\n' },
        },
      },
      ...problemResponses([
        'malformed-request',
        'unauthorized',
        'not-acceptable',
        'request-timeout',
        'payload-too-large',
        'unsupported-media',
        'undecodable-audio',
        'empty-audio',
        'non-finite-audio',
        'clip-too-long',
        'overloaded',
        'rate-limited',
        'starting',
        'draining',
        'engine-unavailable',
        'internal',
      ]),
    },
  };
}

/** `/models/{id}` and the verbs that change what serves. */
function modelPaths(): Json {
  const details = getOperation(
    'modelDetails',
    'A version, its figures and what the gate decided',
    'ModelDetails',
  );
  const withMissing = { ...(details['responses'] as Json), ...problemResponses(['not-found']) };
  const below = (verb: string): string => `/models/{id}/${verb}`;
  return {
    '/models/{id}': {
      get: { ...details, parameters: [idParameter, requestIdParameter], responses: withMissing },
    },
    [below('promote')]: {
      post: changeOperation(
        'promoteModel',
        'Make it the version that serves, if the gate lets it; a refusal is a 409 whose `decision` has every figure',
        'PromoteRequest',
      ),
    },
    [below('rollback')]: {
      post: changeOperation('rollBackModel', 'Leave it for the version that served before'),
    },
    [below('pin')]: {
      post: changeOperation(
        'pinModel',
        'Serve it whatever is current, and promote nothing until it is unpinned',
      ),
      delete: changeOperation('unpinModel', 'Serve the current version again'),
    },
    [below('shadow')]: {
      post: changeOperation(
        'shadowModel',
        'Let it judge a share of what is served; its answers are compared and never sent',
        'ShadowRequest',
      ),
      delete: changeOperation('unshadowModel', 'End that'),
    },
  };
}

function changeOperation(operationId: string, summary: string, body?: keyof typeof named): Json {
  return {
    operationId,
    tags: ['operation'],
    summary,
    description: 'Needs an admin key. It holds for every instance on the same folder of models.',
    parameters: [idParameter, requestIdParameter],
    security: [{ bearer: [] }],
    ...(body === undefined ? {} : { requestBody: { required: false, content: jsonOf(body) } }),
    responses: {
      200: {
        description: 'Changed; what this instance serves now is in it',
        content: jsonOf('ServingChange'),
      },
      ...problemResponses([
        'malformed-request',
        'unauthorized',
        'forbidden',
        'not-found',
        'conflict',
        'rate-limited',
        'engine-unavailable',
        'storage-full',
        'internal',
      ]),
    },
  };
}

const idParameter = {
  name: 'id',
  in: 'path',
  required: true,
  description: 'A version, as `GET /models` names it',
  schema: { type: 'string' },
};

function readyOperation(): Json {
  const operation = getOperation('readiness', 'Whether recordings are taken', 'ServiceStatus');
  const responses = operation['responses'] as Json;
  const notReady = { description: 'Not ready, and why', content: jsonOf('ServiceStatus') };
  return { ...operation, responses: { ...responses, 503: notReady } };
}

function streamOperation(): Json {
  return {
    operationId: 'stream',
    tags: ['classification'],
    summary: 'Live sound over a WebSocket',
    description:
      'What is spoken over it is described by `/asyncapi.json`. Without an upgrade it says why a handshake would be refused, ' +
      'which browsers do not tell; 426 when it would not.',
    security: [{}, { bearer: [] }],
    responses: {
      101: { description: 'The connection is a WebSocket now' },
      ...problemResponses([
        'upgrade-required',
        'unauthorized',
        'overloaded',
        'rate-limited',
        'starting',
        'draining',
        'engine-unavailable',
      ]),
    },
  };
}

function metricsOperation(): Json {
  return {
    operationId: 'metrics',
    tags: ['operation'],
    summary: 'Metrics for Prometheus',
    responses: {
      200: {
        description: 'Text exposition format',
        content: { 'text/plain': { schema: { type: 'string' } } },
      },
    },
  };
}

function getOperation(operationId: string, summary: string, schema: keyof typeof named): Json {
  return {
    operationId,
    tags: ['operation'],
    summary,
    parameters: [requestIdParameter],
    responses: { 200: { description: summary, content: jsonOf(schema) }, ...problemResponses(['internal']) },
  };
}

const stringHeader = { schema: { type: 'string' } };
const timeoutParameter = {
  name: timeoutHeader,
  in: 'header',
  required: false,
  description: 'Seconds the answer may take; a recording that would take longer is refused at once with 429',
  schema: { type: 'string', pattern: timeoutPattern },
};

function reference(schema: keyof typeof named): Json {
  return { $ref: `#/components/schemas/${schema}` };
}

function jsonOf(schema: keyof typeof named): Json {
  return { 'application/json': { schema: reference(schema) } };
}

import { z } from 'zod';
import {
  classificationSchema,
  predictionSchema,
  windowResultSchema,
} from '../../../shared/contracts/classification';
import { problemSchema } from '../../../shared/contracts/problem';
import { healthSchema, modelListSchema, serviceStatusSchema } from '../../../shared/contracts/service-status';
import type { ErrorCode } from '../../../shared/errors/app-error';
import { scoresSchema } from './classify-answer';
import { classifyQuerySchema } from './classify-query';
import { statusOf } from './error-middleware';
import { uploadField } from './upload';

type Json = Record<string, unknown>;

/** The schemas that requests and answers are checked with, by their names in the document. */
const named = {
  Classification: classificationSchema,
  Prediction: predictionSchema,
  WindowResult: windowResultSchema,
  Scores: scoresSchema,
  Health: healthSchema,
  ServiceStatus: serviceStatusSchema,
  ModelList: modelListSchema,
  Problem: problemSchema,
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
    tags: [{ name: 'classification' }, { name: 'operation' }],
    paths: {
      '/classify': { post: classifyOperation() },
      '/models': { get: getOperation('listModels', 'The versions in the registry', 'ModelList') },
      '/healthz': { get: getOperation('health', 'Whether the process answers at all', 'Health') },
      '/readyz': { get: readyOperation() },
      '/metrics': { get: metricsOperation() },
    },
    components: { schemas: componentSchemas() },
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
    parameters: [...queryParameters(), requestIdParameter],
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
        'not-acceptable',
        'request-timeout',
        'payload-too-large',
        'unsupported-media',
        'undecodable-audio',
        'empty-audio',
        'non-finite-audio',
        'clip-too-long',
        'overloaded',
        'starting',
        'draining',
        'engine-unavailable',
        'internal',
      ]),
    },
  };
}

function readyOperation(): Json {
  const operation = getOperation('readiness', 'Whether recordings are taken', 'ServiceStatus');
  const responses = operation['responses'] as Json;
  const notReady = { description: 'Not ready, and why', content: jsonOf('ServiceStatus') };
  return { ...operation, responses: { ...responses, 503: notReady } };
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

/** A response for each status, naming the codes that share it. */
function problemResponses(codes: readonly ErrorCode[]): Json {
  const responses: Json = {};
  for (const status of new Set(codes.map(statusOf))) {
    const sharing = codes.filter((code) => statusOf(code) === status);
    const comesBack = status === 429 || status === 503;
    responses[status] = {
      description: `Problem with code ${sharing.map((code) => `\`${code}\``).join(', ')}`,
      ...(comesBack ? { headers: { 'Retry-After': retryAfterHeader } } : {}),
      content: { 'application/problem+json': { schema: reference('Problem') } },
    };
  }
  return responses;
}

function queryParameters(): Json[] {
  const { properties = {} } = z.toJSONSchema(classifyQuerySchema);
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...schema } = property as Json;
    return { name, in: 'query', required: false, description, schema };
  });
}

function componentSchemas(): Json {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => `#/components/schemas/${id}` });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, schema]) => [id, { ...schema, $id: undefined, $schema: undefined }]),
  );
}

const stringHeader = { schema: { type: 'string' } };
const retryAfterHeader = { description: 'Seconds', schema: { type: 'integer', minimum: 1 } };
const requestIdParameter = {
  name: 'X-Request-Id',
  in: 'header',
  required: false,
  description: 'Taken over into the answer and the logs; made up when absent',
  schema: { type: 'string', pattern: '^[A-Za-z0-9_.:-]{1,128}$' },
};

function reference(schema: keyof typeof named): Json {
  return { $ref: `#/components/schemas/${schema}` };
}

function jsonOf(schema: keyof typeof named): Json {
  return { 'application/json': { schema: reference(schema) } };
}

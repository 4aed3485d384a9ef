import { z } from 'zod';
import { problemSchema } from '../../../../shared/contracts/problem';
import type { ErrorCode } from '../../../../shared/errors/app-error';
import { statusOf } from '../problem';
import {
  isOperation,
  type Answer,
  type AnyOperation,
  type HeaderParameter,
  type Json,
  type NamedSchema,
  type Route,
} from '../routing/route';
import { componentSchemas } from './json-schemas';

/** The OpenAPI 3.1 document of the service, made from the records of its routes. */
export function openApiDocument<Deps>(routes: readonly Route<Deps>[], version: string): Json {
  const operations = routes.filter(isOperation);
  const paths: Record<string, Json> = {};
  for (const operation of operations) {
    const path = operation.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [operation.method]: describe(operation) };
  }
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
    paths,
    components: {
      schemas: {
        ...componentSchemas(answerSchemas(operations), 'output'),
        ...componentSchemas(bodySchemas(operations), 'input'),
      },
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

type Described = AnyOperation<never>;

function describe(operation: Described): Json {
  const { id, tag, summary, access, body } = operation;
  const forAdmins = access === 'admin' ? ['Needs an admin key.'] : [];
  const description = [...forAdmins, operation.description ?? ''].join(' ').trim();
  const described: Json = { operationId: id, tags: [tag], summary, parameters: parametersOf(operation) };
  if (description !== '') described['description'] = description;
  if (access !== 'anyone')
    described['security'] = access === 'admin' ? [{ bearer: [] }] : [{}, { bearer: [] }];
  if (body !== undefined) {
    const isJson = 'json' in body;
    described['requestBody'] = {
      required: !isJson || body.required,
      content: isJson ? { 'application/json': { schema: referenceTo(body.json) } } : body.content,
    };
  }
  const good = Object.entries(operation.answers).map(
    ([status, answer]) => [status, describeAnswer(answer, summary)] as const,
  );
  // A status with a document of its own is no problem of that status too.
  described['responses'] = { ...problemResponses(errorsOf(operation)), ...Object.fromEntries(good) };
  return described;
}

function describeAnswer({ description, json, content, headers }: Answer, summary: string): Json {
  const names = json === undefined ? [] : [json].flat().map(({ name }) => referenceTo(name));
  const answer: Json = { description: description ?? summary };
  if (headers !== undefined) answer['headers'] = headers;
  if (names.length > 0 || content !== undefined) {
    const schema = names.length === 1 ? names[0] : { oneOf: names };
    answer['content'] = names.length === 0 ? content : { 'application/json': { schema }, ...content };
  }
  return answer;
}

/** The codes that a record lists, and those that come of what else it says. */
function errorsOf({ access, whileOpen, query, body, errors = [] }: Described): ErrorCode[] {
  const codes = new Set<ErrorCode>();
  if (query !== undefined || body !== undefined) codes.add('malformed-request');
  if (access !== 'anyone') codes.add('unauthorized');
  if (access === 'admin') codes.add('forbidden');
  for (const code of errors) codes.add(code);
  if (access !== 'anyone') codes.add('rate-limited');
  if (whileOpen === true) codes.add('draining');
  return [...codes.add('internal')];
}

/** A response for each status, naming the codes that share it. */
function problemResponses(codes: readonly ErrorCode[]): Json {
  const responses: Json = {};
  for (const status of new Set(codes.map(statusOf))) {
    const sharing = codes.filter((code) => statusOf(code) === status);
    const response: Json = {
      description: `Problem with code ${sharing.map((code) => `\`${code}\``).join(', ')}`,
      content: { 'application/problem+json': { schema: referenceTo('Problem') } },
    };
    if (status === 429 || status === 503) response['headers'] = { 'Retry-After': retryAfterHeader };
    responses[status] = response;
  }
  return responses;
}

function parametersOf({ path, params = {}, query, headers = [] }: Described): Json[] {
  const names = [...path.matchAll(/:(\w+)/g)].map(([, name]) => name!);
  const inPath = names.map((name) => ({
    name,
    in: 'path',
    required: true,
    description: params[name],
    schema: { type: 'string' },
  }));
  return [
    ...inPath,
    ...(query === undefined ? [] : queryParameters(query)),
    ...[...headers, requestIdHeader].map(headerParameter),
  ];
}

/** A query's options, as the schema that checks them has them. */
function queryParameters(schema: z.ZodObject): Json[] {
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input' });
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = property as Json;
    return { name, in: 'query', required: required.includes(name), description, schema: rest };
  });
}

function headerParameter({ name, description, pattern }: HeaderParameter): Json {
  return { name, in: 'header', required: false, description, schema: { type: 'string', pattern } };
}

const requestIdHeader: HeaderParameter = {
  name: 'X-Request-Id',
  description: 'Taken over into the answer and the logs; made up when absent',
  pattern: '^[A-Za-z0-9_.:-]{1,128}$',
};

function answerSchemas(operations: readonly Described[]): Record<string, z.ZodType> {
  const schemas: Record<string, z.ZodType> = { Problem: problemSchema };
  const named = operations
    .flatMap(({ answers }) => Object.values(answers))
    .flatMap(({ json = [] }): readonly NamedSchema[] => [json].flat());
  for (const { name, schema, parts } of named) Object.assign(schemas, parts, { [name]: schema });
  return schemas;
}

function bodySchemas(operations: readonly Described[]): Record<string, z.ZodType> {
  const bodies = operations.flatMap(({ body }) => (body !== undefined && 'json' in body ? [body] : []));
  return Object.fromEntries(bodies.map(({ json, shown }) => [json, shown]));
}

function referenceTo(schema: string): Json {
  return { $ref: `#/components/schemas/${schema}` };
}

const retryAfterHeader = { description: 'Seconds', schema: { type: 'integer', minimum: 1 } };

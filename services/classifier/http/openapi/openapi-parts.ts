import { z } from 'zod';
import type { ErrorCode } from '../../../../shared/errors/app-error';
import { statusOf } from '../error-middleware';
import type { Json } from './json-schemas';

/** A response for each status, naming the codes that share it. */
export function problemResponses(codes: readonly ErrorCode[]): Json {
  const responses: Json = {};
  for (const status of new Set(codes.map(statusOf))) {
    const sharing = codes.filter((code) => statusOf(code) === status);
    const comesBack = status === 429 || status === 503;
    responses[status] = {
      description: `Problem with code ${sharing.map((code) => `\`${code}\``).join(', ')}`,
      ...(comesBack ? { headers: { 'Retry-After': retryAfterHeader } } : {}),
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
    };
  }
  return responses;
}

/** A query's options, as the schema that checks them has them. */
export function queryParameters(schema: z.ZodObject): Json[] {
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input' });
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = property as Json;
    return { name, in: 'query', required: required.includes(name), description, schema: rest };
  });
}

const retryAfterHeader = { description: 'Seconds', schema: { type: 'integer', minimum: 1 } };
export const requestIdParameter = {
  name: 'X-Request-Id',
  in: 'header',
  required: false,
  description: 'Taken over into the answer and the logs; made up when absent',
  schema: { type: 'string', pattern: '^[A-Za-z0-9_.:-]{1,128}$' },
};

import { z } from 'zod';
import { AppError } from '../../../../shared/errors/app-error';

/**
 * What came, as the schema says it must be.
 * @param what names it in the problem: `query`, `body`
 * @throws AppError malformed-request that lists each problem
 */
export function parseInput<T extends z.ZodType>(schema: T, value: unknown, what: string): z.infer<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message, code }) => {
    const isStrange = code === 'unrecognized_keys' && path.length === 0 && schema instanceof z.ZodObject;
    const known = isStrange ? `; known here: ${Object.keys(schema.shape).join(', ') || 'none'}` : '';
    return { at: path.join('.'), message: message + known };
  });
  const list = problems.map(({ at, message }) => (at === '' ? message : `${at}: ${message}`)).join('; ');
  throw new AppError('malformed-request', `The ${what} is not valid. ${list}.`, { details: { problems } });
}

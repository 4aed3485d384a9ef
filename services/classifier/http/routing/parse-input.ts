import { z } from 'zod';
import { AppError } from '../../../../shared/errors/app-error';

/** Problems that are listed, and characters of each: what a caller sends makes no long answer. */
const maxProblems = 20;
const maxMessageLength = 300;

/**
 * What came, as the schema says it must be.
 * @param what names it in the problem: `query`, `body`
 * @throws AppError malformed-request that lists the first problems
 */
export function parseInput<T extends z.ZodType>(schema: T, value: unknown, what: string): z.infer<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.slice(0, maxProblems).map(({ path, message, code }) => {
    const isStrange = code === 'unrecognized_keys' && path.length === 0 && schema instanceof z.ZodObject;
    const known = isStrange ? `; known here: ${Object.keys(schema.shape).join(', ') || 'none'}` : '';
    const shown = message.length > maxMessageLength ? `${message.slice(0, maxMessageLength)}…` : message;
    return { at: path.join('.'), message: shown + known };
  });
  const list = problems.map(({ at, message }) => (at === '' ? message : `${at}: ${message}`)).join('; ');
  throw new AppError('malformed-request', `The ${what} is not valid. ${list}.`, { details: { problems } });
}

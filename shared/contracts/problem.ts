import { z } from 'zod';
import { errorCodes } from '../errors/app-error';

/**
 * An RFC 9457 problem document, with a stable `code`; what the error knows besides stands beside these
 * members.
 */
export const problemSchema = z.looseObject({
  type: z.string().describe('Where this kind of problem is explained'),
  title: z.string(),
  status: z.int().min(400).max(599),
  detail: z.string().describe('What is wrong with this request and what to do about it'),
  error: z.string().optional().describe('`detail` again, by the name that other clients know'),
  code: z.enum(errorCodes),
  requestId: z.string(),
  problems: z
    .array(z.object({ at: z.string(), message: z.string() }))
    .optional()
    .describe('Each single thing that is wrong'),
});
export type Problem = z.infer<typeof problemSchema>;

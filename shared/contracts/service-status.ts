import { z } from 'zod';

/** `GET /healthz`: the event loop turns. */
export const healthSchema = z.object({ status: z.literal('alive') });

/** `GET /readyz`: whether recordings are taken, and why not. */
export const serviceStatusSchema = z.object({
  status: z.enum(['starting', 'ready', 'unavailable', 'draining']),
  reason: z.string(),
});
export type ServiceStatus = z.infer<typeof serviceStatusSchema>;

/** `GET /models`: what lies in the registry. */
export const modelListSchema = z.object({
  served: z
    .object({ version: z.string(), engine: z.string().describe('Where it computes') })
    .nullable()
    .describe('The version that answers now'),
  models: z.array(
    z.object({
      version: z.string(),
      status: z.enum(['served', 'available', 'corrupt']),
      reason: z.string().optional().describe('Why it is skipped'),
      architecture: z.string().optional(),
      createdAt: z.iso.datetime().optional(),
      parameters: z.int().optional(),
      classes: z.array(z.string()).optional(),
      validationAccuracy: z.number().min(0).max(1).optional(),
      testAccuracy: z.number().min(0).max(1).optional(),
    }),
  ),
});
export type ModelList = z.infer<typeof modelListSchema>;

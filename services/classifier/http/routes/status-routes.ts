import type { z } from 'zod';
import { healthSchema, serviceStatusSchema } from '../../../../shared/contracts/service-status';
import type { JobQueue } from '../../../../shared/jobs/job-queue';
import type { Metrics } from '../../../../shared/observability/metrics';
import type { Admission } from '../../access/admission';
import { operation } from '../routing/route';

export interface StatusRoutesDeps {
  readonly admission: Admission;
  readonly jobs: JobQueue;
  readonly metrics: Metrics;
}

/** Whoever answers is alive. It says nothing of model or engine: restarting would not help those. */
const health = operation({
  method: 'get',
  path: '/healthz',
  id: 'health',
  tag: 'operation',
  summary: 'Whether the process answers at all',
  access: 'anyone',
  answers: { 200: { json: { name: 'Health', schema: healthSchema } } },
  handle: () => {
    const alive: z.infer<typeof healthSchema> = { status: 'alive' };
    return ({ res }) => {
      res.setHeader('Cache-Control', 'no-store');
      res.json(alive);
    };
  },
});

const serviceStatus = { name: 'ServiceStatus', schema: serviceStatusSchema };

/**
 * 200 while recordings are taken, else 503, with the reason; and what is wrong with the queue of jobs.
 */
const readiness = operation({
  method: 'get',
  path: '/readyz',
  id: 'readiness',
  tag: 'operation',
  summary: 'Whether recordings are taken',
  access: 'anyone',
  answers: {
    200: { json: serviceStatus },
    503: { description: 'Not ready, and why', json: serviceStatus },
  },
  handle: ({ admission, jobs }: StatusRoutesDeps) => {
    return ({ res }) => {
      const warnings = jobs.warnings();
      const status = warnings.length === 0 ? admission.status : { ...admission.status, warnings };
      res.setHeader('Cache-Control', 'no-store');
      res.status(status.status === 'ready' ? 200 : 503).json(status);
    };
  },
});

const metrics = operation({
  method: 'get',
  path: '/metrics',
  id: 'metrics',
  tag: 'operation',
  summary: 'Metrics for Prometheus',
  access: 'anyone',
  answers: {
    200: { description: 'Text exposition format', content: { 'text/plain': { schema: { type: 'string' } } } },
  },
  handle: ({ metrics: { registry } }: StatusRoutesDeps) => {
    return async ({ res }) => {
      res.setHeader('Content-Type', registry.contentType);
      res.end(await registry.metrics());
    };
  },
});

export const statusRoutes = [health, readiness, metrics];

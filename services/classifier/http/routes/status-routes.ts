import type { RequestHandler } from 'express';
import type { z } from 'zod';
import type { healthSchema } from '../../../../shared/contracts/service-status';
import type { JobQueue } from '../../../../shared/jobs/job-queue';
import type { Metrics } from '../../../../shared/observability/metrics';
import type { Gate } from '../../access/admission';

/** `GET /healthz`: whoever answers is alive. It says nothing of model or engine: restarting would not help those. */
export function healthRoute(): RequestHandler {
  const alive: z.infer<typeof healthSchema> = { status: 'alive' };
  return (_req, res) => {
    res.setHeader('Cache-Control', 'no-store');
    res.json(alive);
  };
}

/** `GET /readyz`: 200 while recordings are taken, else 503, with the reason; and what is wrong with the queue of jobs. */
export function readyRoute(gate: Gate, jobs: Pick<JobQueue, 'warnings'>): RequestHandler {
  return (_req, res) => {
    const warnings = jobs.warnings();
    const status = { ...gate.status, ...(warnings.length === 0 ? {} : { warnings }) };
    res.setHeader('Cache-Control', 'no-store');
    res.status(status.status === 'ready' ? 200 : 503).json(status);
  };
}

/** `GET /metrics`, in Prometheus' text format. */
export function metricsRoute({ registry }: Metrics): RequestHandler {
  return async (_req, res) => {
    res.setHeader('Content-Type', registry.contentType);
    res.end(await registry.metrics());
  };
}

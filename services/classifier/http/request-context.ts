import { randomUUID } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import { AppError, type ErrorCode } from '../../../shared/errors/app-error';
import type { Logger } from '../../../shared/observability/logger';
import type { Metrics } from '../../../shared/observability/metrics';

/** What travels with a request. */
export interface RequestContext {
  readonly requestId: string;
  /** Aborts when the client hangs up before its answer is out, or the request is given up. */
  readonly signal: AbortSignal;
  /** Gives the request up, for a reason of ours. */
  readonly abort: (reason: AppError) => void;
  /** Set by the error middleware: why the request failed. */
  failure?: ErrorCode;
}

/** A client's own id is taken over when it could do no harm in a log. */
const sane = /^[\w.:-]{1,128}$/;

/** Gives each request an id and a signal, and a log line and its metrics when it is over. */
export function requestContext(logger: Logger, metrics: Metrics, routes: readonly string[]): RequestHandler {
  return (req, res, next) => {
    const startedMs = performance.now();
    const given = req.get('x-request-id');
    const requestId = given !== undefined && sane.test(given) ? given : randomUUID();
    const work = new AbortController();
    const abort = (reason: AppError): void => {
      work.abort(reason);
    };
    const context: RequestContext = { requestId, signal: work.signal, abort };
    res.locals['context'] = context;
    res.setHeader('X-Request-Id', requestId);
    metrics.requestsInFlight.inc();

    res.once('close', () => {
      metrics.requestsInFlight.dec();
      if (!res.writableFinished) {
        abort(new AppError('cancelled', 'The client hung up before its answer was ready.'));
      }
      // 499 is what proxies log for a client that left; it is never sent.
      const status = res.headersSent ? res.statusCode : 499;
      const route = routeOf(req, routes);
      const ms = performance.now() - startedMs;
      metrics.requestSeconds.observe({ route, code: String(status) }, ms / 1000);
      const line = { requestId, method: req.method, route, status, ms: Math.round(ms * 10) / 10 };
      const level = probeRoutes.includes(route) ? 'debug' : 'info';
      logger[level](context.failure === undefined ? line : { ...line, code: context.failure }, 'request');
    });
    next();
  };
}

export function contextOf(res: Response): RequestContext {
  return res.locals['context'] as RequestContext;
}

/** Asked every few seconds for months: their lines would bury the others. */
const probeRoutes = ['/healthz', '/readyz', '/metrics', '/v2/health/live', '/v2/health/ready'];

/** The pattern that matched, from a closed set: what clients make up must not become labels. */
function routeOf(req: Request, routes: readonly string[]): string {
  const path = (req.route as { path?: unknown } | undefined)?.path;
  return routes.find((route) => route === path) ?? 'other';
}

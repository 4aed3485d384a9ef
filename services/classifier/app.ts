import express, { type Express } from 'express';
import { AppError } from '../../shared/errors/app-error';
import type { Logger } from '../../shared/observability/logger';
import type { OriginRules } from './access/origin';
import { classifyRoute, type ClassifyRouteDeps } from './http/routes/classify-route';
import { datasetRoutePaths, datasetRoutes, type DatasetRoutesDeps } from './http/routes/dataset-routes';
import { crossOrigin } from './http/cross-origin';
import { docsRoutePaths, docsRoutes } from './http/routes/docs-routes';
import { endpoint } from './http/endpoint';
import { errorMiddleware } from './http/error-middleware';
import { jobRoutePaths, jobRoutes, type JobRoutesDeps } from './http/routes/job-routes';
import { modelRoutePaths, modelRoutes, type ModelRoutesDeps } from './http/routes/model-routes';
import { pageRoutePaths, pageRoutes } from './http/routes/page-routes';
import { requestContext } from './http/request-context';
import { requestRules } from './http/request-rules';
import { securityHeaders } from './http/security-headers';
import { healthRoute, metricsRoute, readyRoute } from './http/routes/status-routes';
import { streamRoute } from './http/routes/stream-route';
import type { PageAssets } from './http/routes/page-assets';
import { streamPath } from './stream/stream-server';

export interface AppDeps extends ClassifyRouteDeps, ModelRoutesDeps, DatasetRoutesDeps, JobRoutesDeps {
  readonly page: PageAssets;
  readonly origins: OriginRules;
  readonly logger: Logger;
  readonly version: string;
}

/** Paths as logs and metrics name them; what matches none is `other`. */
export const routePaths = [
  '/classify',
  '/healthz',
  '/readyz',
  ...modelRoutePaths,
  ...datasetRoutePaths,
  ...jobRoutePaths,
  '/metrics',
  streamPath,
  ...docsRoutePaths,
  ...pageRoutePaths,
  'other',
];

/** The whole service without a socket. */
export function createApp(deps: AppDeps): Express {
  const { gate, logger, metrics } = deps;
  const app = express();
  app.disable('x-powered-by');
  app.set('query parser', 'simple');

  app.use(requestContext(logger, metrics, routePaths));
  app.use(securityHeaders());
  app.use((_req, res, next) => {
    // A connection kept alive would only carry the next request to a service that is going away.
    if (gate.status.status === 'draining') res.setHeader('Connection', 'close');
    next();
  });
  app.use(requestRules());
  app.use(crossOrigin(deps.origins));
  endpoint(app, '/classify', { post: classifyRoute(deps) });
  endpoint(app, '/healthz', { get: healthRoute() });
  endpoint(app, '/readyz', { get: readyRoute(gate, deps.jobs) });
  modelRoutes(app, deps);
  datasetRoutes(app, deps);
  jobRoutes(app, deps);
  endpoint(app, '/metrics', { get: metricsRoute(metrics) });
  endpoint(app, streamPath, { get: streamRoute(gate, deps.identify, deps.callerIdOf) });
  docsRoutes(app, deps.version);
  pageRoutes(app, deps.page);
  app.use(() => {
    throw new AppError('not-found', 'There is nothing here; GET /docs shows what there is.');
  });
  app.use(errorMiddleware(logger, metrics));
  return app;
}

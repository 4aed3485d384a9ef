import express, { type Express } from 'express';
import { AppError } from '../../shared/errors/app-error';
import type { Logger } from '../../shared/observability/logger';
import type { OriginRules } from './access/origin';
import { crossOrigin } from './http/cross-origin';
import { errorMiddleware } from './http/error-middleware';
import { asyncApiDocument } from './http/openapi/asyncapi';
import { openApiDocument } from './http/openapi/openapi';
import { requestContext } from './http/request-context';
import { requestRules } from './http/request-rules';
import type { DocsRoutesDeps } from './http/routes/docs-routes';
import { routes, type RoutesDeps } from './http/routes/routes';
import { isOperation } from './http/routing/route';
import { methodsOf, mountRoutes, pathsOf, type AdmissionDeps } from './http/routing/mount-routes';
import { securityHeaders } from './http/security-headers';

export interface AppDeps extends Omit<RoutesDeps, keyof DocsRoutesDeps>, Omit<AdmissionDeps, 'admission'> {
  readonly origins: OriginRules;
  readonly logger: Logger;
  readonly version: string;
}

/** Paths as logs and metrics name them; what matches none is `other`. */
export const routePaths = [...pathsOf(routes), 'other'];

const methods = methodsOf(routes);
const headers = routes.filter(isOperation).flatMap((route) => (route.headers ?? []).map(({ name }) => name));

/** The whole service without a socket. */
export function createApp(deps: AppDeps): Express {
  const { admission, logger, metrics, version } = deps;
  const app = express();
  app.disable('x-powered-by');
  app.set('query parser', 'simple');

  app.use(requestContext(logger, metrics, routePaths));
  app.use(securityHeaders());
  app.use((_req, res, next) => {
    // A connection kept alive would only carry the next request to a service that is going away.
    if (admission.status.status === 'draining') res.setHeader('Connection', 'close');
    next();
  });
  app.use(requestRules(methods));
  app.use(crossOrigin(deps.origins, methods, headers));
  mountRoutes(app, routes, {
    ...deps,
    openApi: openApiDocument(routes, version),
    asyncApi: asyncApiDocument(version),
  });
  app.use(() => {
    throw new AppError('not-found', 'There is nothing here; GET /docs shows what there is.');
  });
  app.use(errorMiddleware(logger, metrics));
  return app;
}

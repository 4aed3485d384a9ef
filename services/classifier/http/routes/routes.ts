import type { Route } from '../routing/route';
import { classifyRoute, type ClassifyRouteDeps } from './classify-route';
import { datasetRoutes, type DatasetRoutesDeps } from './dataset-routes';
import { docsRoutes, type DocsRoutesDeps } from './docs-routes';
import { jobRoutes, type JobRoutesDeps } from './job-routes';
import { modelRoutes, type ModelRoutesDeps } from './model-routes';
import { pageRoutes, type PageRoutesDeps } from './page-routes';
import { statusRoutes, type StatusRoutesDeps } from './status-routes';
import { streamRoute, type StreamRouteDeps } from './stream-route';

export interface RoutesDeps
  extends
    ClassifyRouteDeps,
    DatasetRoutesDeps,
    DocsRoutesDeps,
    JobRoutesDeps,
    ModelRoutesDeps,
    PageRoutesDeps,
    StatusRoutesDeps,
    StreamRouteDeps {}

/** Everything that the service answers over HTTP. */
export const routes: readonly Route<RoutesDeps>[] = [
  classifyRoute,
  ...modelRoutes,
  ...jobRoutes,
  ...datasetRoutes,
  ...statusRoutes,
  streamRoute,
  ...docsRoutes,
  ...pageRoutes,
];

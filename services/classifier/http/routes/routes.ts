import type { Route } from '../routing/route';
import { datasetRoutes, type DatasetRoutesDeps } from './dataset-routes';
import { docsRoutes, type DocsRoutesDeps } from './docs-routes';
import { jobRoutes, type JobRoutesDeps } from './job-routes';
import { modelRoutes, type ModelRoutesDeps } from './model-routes';
import { inferenceRoutes, type InferenceRoutesDeps } from './open-inference/inference-routes';
import { pageRoutes, type PageRoutesDeps } from './page-routes';
import type { RecordingDeps } from './recordings/answer-recording';
import { classifyRoute } from './recordings/classify-route';
import { huggingFaceRoute } from './recordings/hugging-face-route';
import { statusRoutes, type StatusRoutesDeps } from './status-routes';
import { streamRoute, type StreamRouteDeps } from './stream-route';

export interface RoutesDeps
  extends
    DatasetRoutesDeps,
    DocsRoutesDeps,
    InferenceRoutesDeps,
    JobRoutesDeps,
    ModelRoutesDeps,
    PageRoutesDeps,
    RecordingDeps,
    StatusRoutesDeps,
    StreamRouteDeps {}

/** Everything that the service answers over HTTP. */
export const routes: readonly Route<RoutesDeps>[] = [
  classifyRoute,
  huggingFaceRoute,
  ...inferenceRoutes,
  ...modelRoutes,
  ...jobRoutes,
  ...datasetRoutes,
  ...statusRoutes,
  streamRoute,
  ...docsRoutes,
  ...pageRoutes,
];

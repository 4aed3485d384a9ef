/** What the package `earshot-client` exports (client-package/build.mjs makes it). */
export { createClient, type ClassifyOptions, type EarshotClient } from './client.js';
export { createAdminClient, type AdminClient, type DatasetFile } from './admin-client.js';
export type { FollowOptions } from './follow-job.js';
export type { ClientOptions, SocketLike } from './options.js';
export type { AudioStream, StreamOptions, StreamState } from './stream.js';
export type { StreamMessage, StreamSettings } from './stream-contract.js';
export { AppError, errorCodes, type ErrorCode } from '../errors/app-error.js';
export type { Classification, Prediction } from '../contracts/classification.js';
export type { DatasetDetails, DatasetList } from '../contracts/dataset.js';
export type { NewJob } from '../contracts/job-kinds.js';
export type { Job } from '../contracts/job.js';
export type { GateCheck } from '../contracts/lifecycle.js';
export type {
  Labels,
  ModelDetails,
  ModelList,
  ServiceStatus,
  ServingChange,
} from '../contracts/service-status.js';
export type { DoneMessage, EventMessage, PredictionMessage, ReadyMessage } from '../contracts/stream.js';

import type { Server } from 'node:http';
import { join } from 'node:path';
import type { Express } from 'express';
import {
  createBoundedDecoder,
  defaultDecodedAudioBytes,
  type BoundedDecoder,
} from '../../shared/decode/pool/bounded-decoder';
import { createDecoderPool, defaultDecodeThreads } from '../../shared/decode/pool/decoder-pool';
import type { ClipDecoder } from '../../shared/signal/clip';
import { memoryLimitBytes } from '../../shared/runtime/memory-limit';
import { systemClock } from '../../shared/runtime/clock';
import { EventLoopQueue } from '../../shared/batching/event-loop-queue';
import type { KernelsChoice } from '../../shared/compute/kernels/kernels-addon';
import type { Logger } from '../../shared/observability/logger';
import type { JobQueue } from '../../shared/jobs/job-queue';
import { Metrics } from '../../shared/observability/metrics';
import { version as packageVersion } from '../../package.json';
import type { AdminKey } from './access/admin-key';
import { createApp, routePaths } from './app';
import { createClassifyClip, type ClassifyDeps } from './model/classify-clip';
import type { Config } from './config';
import { composeAccess, createGate } from './compose-access';
import { composeJobs } from './compose-jobs';
import { composeModels, type Models } from './compose-models';
import { composeStreams } from './compose-streams';
import { createDatasetStore, type DatasetStore } from './datasets/dataset-store';
import { createDatasetThread } from './datasets/dataset-thread';
import { composeEvents } from './events/compose-events';
import type { Gate } from './access/admission';
import type { DatasetUploadLimits } from './http/body/dataset-upload';
import { UploadMemory } from './http/body/upload-memory';
import { createHttpServer } from './http/server/http-server';
import { createDescribeModels } from './model/describe-models';
import { createModelAdmin } from './model/model-admin';
import type { ClassifyRouteDeps } from './http/routes/classify-route';
import type { ModelRoutesDeps } from './http/routes/model-routes';
import { loadPageAssets } from './http/routes/page-assets';
import type { StreamServer } from './stream/stream-server';
import { watchDecodedAudio } from './watch-load';
import { warmUpDecoder } from './warm-up-decoder';
import { watchJobs } from './watch-jobs';

export interface Service {
  /** Not listening yet. */
  readonly server: Server;
  readonly gate: Gate;
  readonly streams: StreamServer;
  /** Undefined where `API_KEYS_FILE` has an admin key. */
  readonly adminKey: AdminKey | undefined;
  /** Settles when the model is loaded; rejects with why it never will be. */
  readonly started: Promise<void>;
  close(): Promise<void>;
}

/** An upload from which nothing comes for so long is given up. */
const uploadPatience = { idleMs: 10_000, graceMs: 5000 };
const maxDatasetFiles = 50_000;
/** What the build made of `page/`, for browsers. */
const pageFolder = join(__dirname, '../../page');

const now = (): number => systemClock.now();

/** Builds everything that the service consists of; the model starts loading. */
export function compose(config: Config, logger: Logger): Service {
  const metrics = new Metrics(routePaths, config.sourceNames);
  const events = composeEvents(config, { metrics: metrics.events, logger });
  let kernels: KernelsChoice | undefined;
  const decoder = composeDecoder(config, metrics, () => kernels);
  const models = composeModels(config, {
    metrics,
    logger,
    ready: () => warmUpDecoder(decoder),
    onEngine: (choice) => {
      kernels = choice.kernels;
    },
  });
  const { host, observer } = models;
  const access = composeAccess(config, logger);
  const turns = new EventLoopQueue();
  const streams = composeStreams(config, {
    ...access,
    turns,
    lease: host.lease,
    observer,
    metrics,
    logger,
    publish: events.publish,
    model: () => host.current,
    kernels: () => kernels,
  });
  const gate = createGate(config, { metrics, host, streams });
  const classifyClip = createClassifyClip({
    decoder,
    lease: host.lease,
    observer,
    turns,
    metrics,
    ...clipLimits(config),
  });
  const limits = uploadSettings(config);
  const datasets = openDatasets(config, limits.datasetLimits, { decoder, logger });
  const jobs = composeWatchedJobs(config, metrics, logger);
  const app = createApp({
    ...access,
    jobs,
    datasets,
    classifyClip,
    gate,
    metrics,
    logger,
    version: packageVersion,
    ...limits,
    page: loadPageAssets(pageFolder),
    ...composeModelAdmin(config, models, metrics, logger),
  });
  const server = createServer(app, config, metrics);
  return {
    server,
    gate,
    adminKey: access.adminKey,
    streams: streams.serve(server, gate),
    started: host.started,
    async close() {
      await Promise.all([models.close(), datasets.close(), jobs.close()]);
      await Promise.all([decoder.close(), streams.close(), events.close()]);
    },
  };
}

/** The queue of jobs, which is a metric too. */
function composeWatchedJobs(config: Config, metrics: Metrics, logger: Logger): JobQueue {
  const jobs = composeJobs(config, logger);
  watchJobs(metrics.jobs, jobs, now);
  return jobs;
}

/** Decoders, and the memory that they may fill; both are metrics. */
function composeDecoder(
  config: Config,
  metrics: Metrics,
  kernels: () => KernelsChoice | undefined,
): BoundedDecoder {
  const threads = config.decodeThreads ?? defaultDecodeThreads(config.engineThreads);
  const maxBytes = config.decodedAudioMaxBytes ?? defaultDecodedAudioBytes(memoryLimitBytes());
  const pool = createDecoderPool({ threads, longThreads: Math.ceil(threads / 2), kernels });
  const decoder = createBoundedDecoder(pool, {
    maxBytes,
    onRefused: () => {
      metrics.overloads.inc({ cause: 'decoded-audio' });
    },
  });
  watchDecodedAudio(metrics, decoder, maxBytes);
  return decoder;
}

/** What describes and what changes the models that serve. */
function composeModelAdmin(
  { modelsFolder, modelLoadMs: limitMs }: Config,
  models: Models,
  metrics: Metrics,
  logger: Logger,
): ModelRoutesDeps {
  const modelAdmin = createModelAdmin({ ...models, modelsFolder, metrics, logger, limitMs });
  return { modelAdmin, models: createDescribeModels({ ...models, admin: modelAdmin, modelsFolder, now }) };
}

function clipLimits(config: Config): Pick<ClassifyDeps, 'maxClipSeconds' | 'maxWindows'> {
  return { maxClipSeconds: config.maxClipSeconds, maxWindows: config.queueMaxWindows };
}

interface UploadSettings extends Pick<ClassifyRouteDeps, 'uploadLimits' | 'uploadMemory' | 'deadlineMs'> {
  readonly datasetLimits: DatasetUploadLimits;
}

function uploadSettings(config: Config): UploadSettings {
  return {
    datasetLimits: { maxBytes: config.maxDatasetBytes, maxFiles: maxDatasetFiles, ...uploadPatience },
    uploadLimits: { maxBytes: config.maxUploadBytes, ...uploadPatience },
    uploadMemory: new UploadMemory(config.maxUploadBytes * config.maxConcurrentRequests, now),
    deadlineMs: config.requestDeadlineMs,
  };
}

function createServer(app: Express, { trustedProxies }: Config, metrics: Metrics): Server {
  return createHttpServer(app, {
    trustedProxies,
    onRefused: () => {
      metrics.overloads.inc({ cause: 'connections' });
    },
  });
}

interface DatasetDeps {
  readonly decoder: ClipDecoder;
  readonly logger: Logger;
}

/** The datasets; what earlier processes left unfinished is cleared away beside everything else. */
function openDatasets(config: Config, limits: DatasetUploadLimits, deps: DatasetDeps): DatasetStore {
  const datasets = createDatasetStore(config.datasetsFolder, limits, {
    ...deps,
    thread: createDatasetThread(),
  });
  datasets.clean().catch((error: unknown) => {
    deps.logger.warn({ err: error }, 'DATASETS_DIR could not be cleaned of unfinished uploads');
  });
  return datasets;
}

import type { Server } from 'node:http';
import { join } from 'node:path';
import type { Express } from 'express';
import {
  createBoundedDecoder,
  defaultDecodedAudioBytes,
  longestSeconds,
  type BoundedDecoder,
} from '../../shared/decode/pool/bounded-decoder';
import { createDecoderPool, defaultDecodeThreads } from '../../shared/decode/pool/decoder-pool';
import type { ClipDecoder } from '../../shared/signal/clip';
import type { Manifest } from '../../shared/contracts/manifest';
import { windowFormat } from '../../shared/contracts/members';
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
import { createClassifyClip, type ClassifyDeps } from './model/recording/classify-clip';
import type { Config } from './config';
import { composeAccess, createAdmission, type Access } from './compose-access';
import { composeJobs } from './compose-jobs';
import { composeModels, type Models } from './compose-models';
import { composeStreams, streamTuning } from './compose-streams';
import { createDatasetStore, type DatasetStore } from './datasets/dataset-store';
import { createDatasetThread } from './datasets/dataset-thread';
import { composeEvents, type Events } from './events/compose-events';
import type { Admission } from './access/admission';
import type { DatasetUploadLimits } from './http/body/dataset-upload';
import { UploadMemory } from './http/body/upload-memory';
import type { ConnectionLimits } from './http/server/connections';
import { createHttpServer } from './http/server/http-server';
import type { WindowObserver } from './model/judge-windows';
import type { ModelHost } from './model/model-host';
import { createDescribeModels } from './model/describe-models';
import { createModelAdmin } from './model/model-admin';
import type { ModelRoutesDeps } from './http/routes/model-routes';
import { loadPageAssets } from './http/routes/page-assets';
import type { StreamServer } from './stream/stream-server';
import { watchDecodedAudio } from './watch-load';
import { warmUpDecoder } from './warm-up-decoder';
import { watchJobs } from './watch-jobs';

export interface Service {
  /** Not listening yet. */
  readonly server: Server;
  readonly admission: Admission;
  readonly streams: StreamServer;
  /** Undefined where `API_KEYS_FILE` has an admin key. */
  readonly adminKey: AdminKey | undefined;
  /** Settles when the model is loaded; rejects with why it never will be. */
  readonly started: Promise<void>;
  close(): Promise<void>;
}

/** What decodes, judges and keeps things for the service; who may use it. Tests put their own in. */
export interface Parts extends ModelRoutesDeps {
  readonly metrics: Metrics;
  readonly decoder: ClipDecoder;
  /** The native kernels, once they are known. */
  readonly kernels?: () => KernelsChoice | undefined;
  /** The models of the process. */
  readonly host: Pick<ModelHost, 'current' | 'lease' | 'queueFor' | 'queuedWindows' | 'started' | 'state'>;
  readonly observer: WindowObserver;
  readonly access: Access;
  readonly jobs: JobQueue;
  /** Takes the events of streams; closed when no stream is left. */
  readonly events: Events;
  /**
   * Ends the models and the queue; what was submitted to them is finished. Decoder and events follow.
   */
  close(): Promise<void>;
}

/** Limits that no setting changes. */
export interface ServiceLimits {
  /** An upload from which nothing comes for so long is given up. */
  readonly upload: Pick<DatasetUploadLimits, 'idleMs' | 'graceMs'>;
  /** Bytes of all uploads together; undefined: of as many of the largest as may be worked on. */
  readonly maxHeldBytes?: number;
  readonly maxDatasetFiles: number;
  readonly stream: typeof streamTuning;
  /** The limits of open connections; what is absent is as much as the process may have. */
  readonly connections: Pick<ConnectionLimits, 'maxConnections' | 'unreadMs'>;
}

const serviceLimits: ServiceLimits = {
  upload: { idleMs: 10_000, graceMs: 5000 },
  maxDatasetFiles: 50_000,
  stream: streamTuning,
  connections: {},
};

/** What the build made of `page/`, for browsers. */
const pageFolder = join(__dirname, '../../page');

const now = (): number => systemClock.now();

/** Builds everything that the service consists of; the model starts loading. */
export function compose(config: Config, logger: Logger): Service {
  return composeService(config, logger, composeParts(config, logger));
}

function composeParts(config: Config, logger: Logger): Parts {
  const metrics = new Metrics(routePaths, config.sourceNames);
  let chosen: KernelsChoice | undefined;
  const kernels = (): KernelsChoice | undefined => chosen;
  const decoder = composeDecoder(config, metrics, kernels);
  const models = composeModels(config, {
    metrics,
    logger,
    ready: () => warmUpDecoder(decoder),
    onEngine: (choice) => {
      chosen = choice.kernels;
    },
    onServing: (manifest) => {
      warnOfShortBudget(config, manifest, logger);
    },
  });
  const jobs = composeJobs(config, logger);
  return {
    metrics,
    decoder,
    kernels,
    host: models.host,
    observer: models.observer,
    access: composeAccess(config, logger),
    jobs,
    events: composeEvents(config, { metrics: metrics.events, logger }),
    ...composeModelAdmin(config, models, metrics, logger),
    async close() {
      await Promise.all([models.close(), jobs.close()]);
    },
  };
}

/** Builds the service on its parts: HTTP, streams, admission and datasets. */
export function composeService(
  config: Config,
  logger: Logger,
  parts: Parts,
  limits = serviceLimits,
): Service {
  const { access, decoder, events, host, jobs, kernels, metrics, models, modelAdmin, observer } = parts;
  const turns = new EventLoopQueue();
  const { lease } = host;
  const judging = { lease, observer, turns, metrics };
  const streams = composeStreams(
    config,
    {
      ...access,
      ...judging,
      logger,
      publish: events.publish,
      model: () => host.current,
      ...(kernels && { kernels }),
    },
    limits.stream,
  );
  const admission = createAdmission(config, { metrics, host, streams });
  const classifyClip = createClassifyClip({ decoder, ...judging, ...clipLimits(config) });
  const { maxDatasetFiles: maxFiles, upload } = limits;
  const maxHeldBytes = limits.maxHeldBytes ?? config.maxUploadBytes * config.maxConcurrentRequests;
  const datasetLimits = { maxBytes: config.maxDatasetBytes, maxFiles, ...upload };
  const datasets = openDatasets(config, datasetLimits, { decoder, logger });
  watchJobs(metrics.jobs, jobs, now);
  const app = createApp({
    ...access,
    jobs,
    datasets,
    datasetLimits,
    classifyClip,
    admission,
    metrics,
    logger,
    version: packageVersion,
    serving: () => host.current?.manifest,
    uploadLimits: { maxBytes: config.maxUploadBytes, ...upload },
    uploadMemory: new UploadMemory(maxHeldBytes, now),
    deadlineMs: config.requestDeadlineMs,
    page: loadPageAssets(pageFolder),
    models,
    modelAdmin,
  });
  const server = createServer(app, config, metrics, limits.connections);
  return {
    server,
    admission,
    adminKey: access.adminKey,
    streams: streams.serve(server, admission),
    started: host.started,
    async close() {
      await Promise.all([parts.close(), datasets.close()]);
      await Promise.all([decoder.close(), streams.close(), events.close()]);
    },
  };
}

function decodedAudioBytes(config: Config): number {
  return config.decodedAudioMaxBytes ?? defaultDecodedAudioBytes(memoryLimitBytes());
}

/** The longest recording may not fit into the memory for decoded audio at the rate of what serves. */
function warnOfShortBudget(config: Config, manifest: Manifest, logger: Logger): void {
  const maxBytes = decodedAudioBytes(config);
  const seconds = Math.floor(longestSeconds(maxBytes, windowFormat(manifest).sampleRate));
  if (seconds >= config.maxClipSeconds) return;
  const figures = { maxClipSeconds: config.maxClipSeconds, seconds, maxBytes };
  logger.warn(
    figures,
    `Recordings longer than ${seconds} s are refused, although MAX_CLIP_SECONDS allows more: raise ` +
      'DECODED_AUDIO_MAX_BYTES or the memory limit.',
  );
}

/** Decoders, and the memory that they may fill; both are metrics. */
function composeDecoder(
  config: Config,
  metrics: Metrics,
  kernels: () => KernelsChoice | undefined,
): BoundedDecoder {
  const threads = config.decodeThreads ?? defaultDecodeThreads(config.engineThreads);
  const maxBytes = decodedAudioBytes(config);
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

function createServer(
  app: Express,
  { trustedProxies }: Config,
  metrics: Metrics,
  connections: ServiceLimits['connections'],
): Server {
  return createHttpServer(app, {
    trustedProxies,
    ...connections,
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

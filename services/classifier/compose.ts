import type { Server } from 'node:http';
import { join } from 'node:path';
import { createDecoderPool, defaultDecodeThreads } from '../../shared/decode/pool/decoder-pool';
import { systemClock } from '../../shared/runtime/clock';
import { EventLoopQueue } from '../../shared/batching/event-loop-queue';
import type { KernelsChoice } from '../../shared/compute/kernels/kernels-addon';
import type { Logger } from '../../shared/observability/logger';
import { Metrics } from '../../shared/observability/metrics';
import { version as packageVersion } from '../../package.json';
import { createAssertAdmin } from './access/admin';
import { createAdminKey, type AdminKey } from './access/admin-key';
import { createIdentify, readApiKeys } from './access/api-keys';
import { createCallerIdOf } from './access/caller-id';
import { createOriginRules, isLoopbackAddress } from './access/origin';
import { createApp, routePaths } from './app';
import { createClassifyClip } from './model/classify-clip';
import type { Config } from './config';
import { composeJobs } from './compose-jobs';
import { composeModels } from './compose-models';
import { composeStreams } from './compose-streams';
import { createDatasetStore } from './datasets/dataset-store';
import { createDatasetThread } from './datasets/dataset-thread';
import { Gate } from './access/admission';
import { UploadMemory } from './http/body/upload-memory';
import { createHttpServer } from './http/server/http-server';
import { createDescribeModels } from './model/describe-models';
import { createModelAdmin } from './model/model-admin';
import { loadPageAssets } from './http/routes/page-assets';
import type { StreamServer } from './stream/stream-server';
import { warmUpDecoder } from './warm-up-decoder';
import { watchJobs } from './watch-jobs';
import { watchLoad } from './watch-load';

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

/** Builds everything that the service consists of; the model starts loading. */
export function compose(config: Config, logger: Logger): Service {
  const metrics = new Metrics(routePaths);
  let kernels: KernelsChoice | undefined;
  const decodeThreads = config.decodeThreads ?? defaultDecodeThreads(config.engineThreads);
  const decoder = createDecoderPool({
    threads: decodeThreads,
    longThreads: Math.ceil(decodeThreads / 2),
    kernels: () => kernels,
  });
  const models = composeModels(config, {
    ...{ metrics, logger, ready: () => warmUpDecoder(decoder) },
    onEngine: (choice) => {
      kernels = choice.kernels;
    },
  });
  const { host, observer } = models;
  const { modelsFolder } = config;
  const apiKeys = readApiKeys(config.apiKeysFile);
  const hasAdmin = apiKeys?.some(({ admin }) => admin) ?? false;
  const adminKey = hasAdmin ? undefined : createAdminKey(config.adminKeyFolders, logger);
  const identify = createIdentify(apiKeys, systemClock, adminKey?.sha256);
  const callerIdOf = createCallerIdOf(config.trustedProxies);
  const origins = createOriginRules({ ...config, isLoopback: isLoopbackAddress(config.host) });
  const { lease } = host;
  const turns = new EventLoopQueue();
  const streams = composeStreams(config, {
    ...{ turns, lease, observer, identify, callerIdOf, origins, metrics, logger },
    model: () => host.current,
    kernels: () => kernels,
  });
  const gate = new Gate({
    maxRequests: config.maxConcurrentRequests,
    maxStreams: config.maxStreams,
    streamsFull: streams.isFull,
    engine: () => host.state,
    queue: (caller) => host.queueFor(caller),
    maxWaitMs: config.requestDeadlineMs,
    clock: systemClock,
    onRefused: (cause) => {
      metrics.overloads.inc({ cause });
    },
  });
  watchLoad(metrics, gate, () => host.queuedWindows);

  const classifyClip = createClassifyClip({
    ...{ decoder, lease, observer, turns },
    maxClipSeconds: config.maxClipSeconds,
    maxWindows: config.queueMaxWindows,
    metrics,
  });
  const datasetLimits = { maxBytes: config.maxDatasetBytes, maxFiles: maxDatasetFiles, ...uploadPatience };
  const datasets = createDatasetStore(config.datasetsFolder, datasetLimits, {
    ...{ decoder, logger },
    thread: createDatasetThread(),
  });
  const jobs = composeJobs(config, logger);
  const now = (): number => systemClock.now();
  watchJobs(metrics.jobs, jobs, now);
  const modelAdmin = createModelAdmin({
    ...{ ...models, modelsFolder, metrics, logger },
    limitMs: config.modelLoadMs,
  });
  const app = createApp({
    jobs,
    datasets,
    datasetLimits,
    classifyClip,
    gate,
    identify,
    callerIdOf,
    metrics,
    logger,
    version: packageVersion,
    uploadLimits: { maxBytes: config.maxUploadBytes, ...uploadPatience },
    uploadMemory: new UploadMemory(config.maxUploadBytes * config.maxConcurrentRequests, now),
    deadlineMs: config.requestDeadlineMs,
    page: loadPageAssets(pageFolder),
    origins,
    models: createDescribeModels({ ...models, admin: modelAdmin, modelsFolder, now }),
    modelAdmin,
    assertAdmin: createAssertAdmin(identify, origins),
  });
  const server = createHttpServer(app, {
    trustedProxies: config.trustedProxies,
    onRefused: () => {
      metrics.overloads.inc({ cause: 'connections' });
    },
  });
  datasets.clean().catch((error: unknown) => {
    logger.warn({ err: error }, 'DATASETS_DIR could not be cleaned of unfinished uploads');
  });
  return {
    server,
    gate,
    adminKey,
    streams: streams.serve(server, gate),
    started: host.started,
    async close() {
      await Promise.all([models.close(), datasets.close(), jobs.close()]);
      await Promise.all([decoder.close(), streams.close()]);
    },
  };
}

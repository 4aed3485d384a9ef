import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import pino from 'pino';
import { systemClock } from '../../shared/runtime/clock';
import { EventLoopQueue } from '../../shared/batching/event-loop-queue';
import type { ModelList } from '../../shared/contracts/service-status';
import type { Manifest } from '../../shared/contracts/manifest';
import type { Inference } from '../../shared/compute/inference/inference';
import type { JobQueue } from '../../shared/jobs/job-queue';
import { FakeJobQueue } from './fake-job-queue';
import { Metrics } from '../../shared/observability/metrics';
import { createOriginRules } from '../../services/classifier/access/origin';
import { createAssertAdmin } from '../../services/classifier/access/admin';
import { createIdentify, readApiKeys, type Identify } from '../../services/classifier/access/api-keys';
import { parseTrustedProxies } from '../../services/classifier/access/address';
import { createCallerIdOf } from '../../services/classifier/access/caller-id';
import { createApp, routePaths } from '../../services/classifier/app';
import type { Service } from '../../services/classifier/compose';
import { composeStreams, streamTuning, type Streams } from '../../services/classifier/compose-streams';
import { createClassifyClip } from '../../services/classifier/model/classify-clip';
import { createDatasetStore, type DatasetStore } from '../../services/classifier/datasets/dataset-store';
import { createDatasetThread } from '../../services/classifier/datasets/dataset-thread';
import type { PublishEvent } from '../../services/classifier/events/event-publisher';
import type { IntakeLimits } from '../../services/classifier/datasets/intake';
import { Gate } from '../../services/classifier/access/admission';
import type { ConnectionLimits } from '../../services/classifier/http/server/connections';
import { UploadMemory } from '../../services/classifier/http/body/upload-memory';
import { createHttpServer } from '../../services/classifier/http/server/http-server';
import { loadPageAssets } from '../../services/classifier/http/routes/page-assets';
import { Drift, driftKinds } from '../../services/classifier/model/drift';
import type { WindowObserver } from '../../services/classifier/model/judge-windows';
import { LoadedModel, type Lease, type WindowBatcher } from '../../services/classifier/model/loaded-model';
import { watchJobs } from '../../services/classifier/watch-jobs';
import { watchDecodedAudio, watchLoad } from '../../services/classifier/watch-load';
import { FakeDecoder } from './fake-decoder';
import { FakeInference, manifest } from './fake-inference';

export interface HarnessOptions {
  readonly start?: () => Promise<Inference>;
  readonly listModels?: () => Promise<ModelList>;
  readonly observer?: WindowObserver;
  /** Takes the events of streams that may leave the service. */
  readonly publish?: PublishEvent;
  readonly maxRequests?: number;
  readonly maxQueuedItems?: number;
  readonly maxBytes?: number;
  readonly idleMs?: number;
  readonly graceMs?: number;
  readonly deadlineMs?: number;
  readonly maxStreams?: number;
  readonly allowedOrigins?: readonly string[];
  readonly allowedHosts?: readonly string[];
  readonly apiKeysFile?: string;
  /** Admins must send `harnessAdminKey`; else, without a file of keys, everybody is one. */
  readonly adminsOnly?: boolean;
  readonly trustedProxies?: string;
  readonly connections?: Pick<ConnectionLimits, 'most' | 'unreadMs'>;
  readonly maxHeldBytes?: number;
  readonly jobs?: JobQueue;
  readonly datasets?: { readonly folder: string; readonly limits?: Partial<IntakeLimits> };
  readonly tuning?: Partial<typeof streamTuning>;
}

export interface Harness {
  readonly inference: FakeInference;
  readonly decoder: FakeDecoder;
  readonly metrics: Metrics;
  readonly logLines: Record<string, unknown>[];
  readonly model: LoadedModel;
  readonly batcher: WindowBatcher;
  /** Another model answers from now on. */
  promote(model: LoadedModel): void;
  readonly gate: Gate;
  readonly streams: Streams;
  readonly server: Server;
  readonly service: Service;
  readonly datasets: DatasetStore;
  readonly port: number;
}

/** What `GET /models` says where there is nothing. */
export const noModels: ModelList = {
  served: null,
  current: null,
  previous: null,
  pinned: null,
  shadow: null,
  problems: [],
  models: [],
};

/** The admin key that a harness's service made at its start. */
export const harnessAdminKey = 'the-key-of-this-harness';

/** Who sends no key is taken for an admin, for tests of what admins do. */
function asAdmin(identify: Identify): Identify {
  return (headers) => identify({ authorization: `Bearer ${harnessAdminKey}`, ...headers });
}

/** Where there are no datasets. */
const noFolder = join(__dirname, 'no-datasets');

const defaults = {
  maxRequests: 64,
  maxQueuedItems: 64,
  maxBytes: 10_000,
  idleMs: 10_000,
  graceMs: 5000,
  deadlineMs: 60_000,
  maxStreams: 16,
  allowedOrigins: [],
  allowedHosts: [],
  listModels: (): Promise<ModelList> => Promise.resolve(noModels),
  observer: () => undefined,
  publish: () => undefined,
};

/**
 * The service with a fake decoder and a fake engine behind real HTTP, batching, supervision and gate.
 */
export async function startHarness(overrides: HarnessOptions = {}): Promise<Harness> {
  const options = { ...defaults, ...overrides };
  const { maxQueuedItems, maxStreams } = options;
  const inference = new FakeInference();
  const decoder = new FakeDecoder();
  const metrics = new Metrics(routePaths);
  const logLines: Record<string, unknown>[] = [];
  const logger = pino(
    { level: 'info' },
    { write: (line: string) => logLines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const model = fakeModel(options.start ?? (() => Promise.resolve(inference)), metrics, maxQueuedItems);
  let current = model;
  const lease = (): Lease => current.lease();
  const { batcher } = model;
  const turns = new EventLoopQueue();
  const made = createHash('sha256').update(harnessAdminKey).digest('hex');
  const identify = createIdentify(readApiKeys(options.apiKeysFile), systemClock, made);
  const trustedProxies = parseTrustedProxies(options.trustedProxies ?? '')!;
  const callerIdOf = createCallerIdOf(trustedProxies);
  const origins = createOriginRules({ ...options, trustedProxies, isLoopback: true });
  const streams = composeStreams(
    { maxStreams, streamShare: 0.8 },
    {
      turns,
      lease,
      observer: options.observer,
      identify,
      callerIdOf,
      origins,
      metrics,
      logger,
      model: () => current,
      publish: options.publish,
    },
    { ...streamTuning, ...options.tuning },
  );
  const gate = new Gate({
    maxRequests: options.maxRequests,
    maxStreams,
    streamsFull: streams.isFull,
    clock: systemClock,
    engine: () => current.state,
    queue: (caller) => ({ full: batcher.isFull(caller), waitMs: batcher.estimatedWaitMs(caller) }),
    maxWaitMs: 60_000,
  });
  metrics.watchDrift(driftKinds, new Drift());
  watchLoad(metrics, gate, () => batcher.queuedItems);
  // The decoder of texts holds nothing.
  watchDecodedAudio(metrics, { heldBytes: 0 }, 0);
  const jobs = options.jobs ?? new FakeJobQueue();
  watchJobs(metrics.jobs, jobs, () => systemClock.now());
  const datasetLimits = {
    maxBytes: 2 ** 20,
    maxFiles: 100,
    idleMs: options.idleMs,
    graceMs: options.graceMs,
    ...options.datasets?.limits,
  };
  const datasets = createDatasetStore(options.datasets?.folder ?? noFolder, datasetLimits, {
    decoder,
    logger,
    thread: createDatasetThread(),
  });
  const app = createApp({
    datasets,
    datasetLimits,
    jobs,
    classifyClip: createClassifyClip({
      decoder,
      lease,
      observer: options.observer,
      turns,
      maxClipSeconds: 600,
      maxWindows: maxQueuedItems,
      metrics,
    }),
    gate,
    identify,
    callerIdOf,
    metrics,
    logger,
    version: '1.2.3',
    uploadLimits: { maxBytes: options.maxBytes, idleMs: options.idleMs, graceMs: options.graceMs },
    uploadMemory: new UploadMemory(options.maxHeldBytes ?? 2 ** 30, () => performance.now()),
    deadlineMs: options.deadlineMs,
    page: loadPageAssets(join(__dirname, '../../page')),
    origins,
    models: { list: options.listModels, details: nothing, labels: nothing },
    modelAdmin: {
      promote: nothing,
      rollBack: nothing,
      pin: nothing,
      unpin: nothing,
      shadow: nothing,
      unshadow: nothing,
      problem: undefined,
    },
    assertAdmin: createAssertAdmin(
      options.adminsOnly === true || options.apiKeysFile !== undefined ? identify : asAdmin(identify),
      origins,
    ),
  });
  const server = createHttpServer(app, {
    trustedProxies,
    ...options.connections,
    onRefused: () => {
      metrics.overloads.inc({ cause: 'connections' });
    },
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  if (options.start === undefined) await model.started;
  const service = {
    server,
    gate,
    adminKey: undefined,
    streams: streams.serve(server, gate),
    started: model.started,
    close: async () => {
      await current.close();
      await datasets.close();
      await streams.close();
    },
  };
  const promote = (next: LoadedModel): void => {
    void current.retire();
    current = next;
  };
  return {
    inference,
    decoder,
    metrics,
    logLines,
    model,
    batcher,
    promote,
    gate,
    streams,
    server,
    service,
    port,
    datasets,
  };
}

/** A model without a network, behind the real supervision and batching. */
export function fakeModel(
  start: () => Promise<Inference>,
  metrics: Metrics,
  maxQueuedItems: number,
  changes: Partial<Manifest> = {},
): LoadedModel {
  return new LoadedModel({
    manifest: { ...manifest, ...changes },
    start,
    supervision: { firstBackoffMs: 1, maxBackoffMs: 10, hungAfterMs: 60_000 },
    // The delay is long, so that a batch that waits for a request that never comes is noticed.
    batching: { maxItems: 4, maxDelayMs: 60_000, maxQueuedItems, streamShare: 0.8 },
    clock: systemClock,
    metrics,
    onServing: () => undefined,
    onLost: () => {
      metrics.engineLost.inc();
    },
  });
}

function nothing(): never {
  throw new Error('The harness has no registry.');
}

export async function stopHarness({ server, service, model, streams, datasets }: Harness): Promise<void> {
  await datasets.close();
  await model.drop();
  service.streams.close();
  await streams.close();
  if (!server.listening) return;
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

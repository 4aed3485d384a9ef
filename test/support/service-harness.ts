import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import pino from 'pino';
import { systemClock } from '../../shared/runtime/clock';
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
import { routePaths } from '../../services/classifier/app';
import {
  composeService,
  type Parts,
  type Service,
  type ServiceLimits,
} from '../../services/classifier/compose';
import { loadConfig, type Config } from '../../services/classifier/config';
import { streamTuning } from '../../services/classifier/compose-streams';
import type { IntakeLimits } from '../../services/classifier/datasets/intake';
import type { Admission } from '../../services/classifier/access/admission';
import type { ConnectionLimits } from '../../services/classifier/http/server/connections';
import { Drift, driftKinds } from '../../services/classifier/model/drift';
import type { WindowObserver } from '../../services/classifier/model/judge-windows';
import { LoadedModel, type WindowBatcher } from '../../services/classifier/model/loaded-model';
import { watchDecodedAudio } from '../../services/classifier/watch-load';
import type { PublishEvent } from '../../services/classifier/events/event-publisher';
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
  readonly connections?: Pick<ConnectionLimits, 'maxConnections' | 'unreadMs'>;
  readonly maxHeldBytes?: number;
  readonly jobs?: JobQueue;
  readonly datasets?: { readonly folder: string } & Partial<IntakeLimits>;
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
  readonly admission: Admission;
  readonly server: Server;
  readonly service: Service;
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
  observer: (): void => undefined,
  publish: (): void => undefined,
  maxHeldBytes: 2 ** 30,
  datasets: { folder: noFolder },
  connections: {},
};

/**
 * The service with a fake decoder and a fake engine behind real HTTP, batching, supervision and
 * admission.
 */
export async function startHarness(overrides: HarnessOptions = {}): Promise<Harness> {
  const options = { ...defaults, ...overrides };
  const { maxQueuedItems } = options;
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
  const { batcher } = model;
  metrics.watchDrift(driftKinds, new Drift());
  // The decoder of texts holds nothing.
  watchDecodedAudio(metrics, { heldBytes: 0 }, 0);
  const parts: Parts = {
    metrics,
    decoder,
    host: {
      started: model.started,
      get current() {
        return current;
      },
      get state() {
        return current.state;
      },
      get queuedWindows() {
        return batcher.queuedItems;
      },
      queueFor: (caller) => ({ full: batcher.isFull(caller), waitMs: batcher.estimatedWaitMs(caller) }),
      lease: () => current.lease(),
    },
    observer: options.observer,
    access: accessOf(options),
    jobs: options.jobs ?? new FakeJobQueue(),
    events: { publish: options.publish, close: () => Promise.resolve() },
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
    close: () => current.close(),
  };
  const service = composeService(configOf(options), logger, parts, limitsOf(options));
  const { server } = service;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  if (options.start === undefined) await model.started;
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
    admission: service.admission,
    server,
    service,
    port,
  };
}

type Options = HarnessOptions & Required<Pick<HarnessOptions, keyof typeof defaults>>;

const trustedProxiesOf = ({ trustedProxies = '' }: Options): Config['trustedProxies'] =>
  parseTrustedProxies(trustedProxies)!;

/** What would be read of the environment. */
function configOf(options: Options): Config {
  return {
    ...loadConfig({}),
    maxConcurrentRequests: options.maxRequests,
    maxUploadBytes: options.maxBytes,
    queueMaxWindows: options.maxQueuedItems,
    requestDeadlineMs: options.deadlineMs,
    maxStreams: options.maxStreams,
    trustedProxies: trustedProxiesOf(options),
    datasetsFolder: options.datasets.folder,
    maxDatasetBytes: options.datasets.maxBytes ?? 2 ** 20,
  };
}

function limitsOf({ idleMs, graceMs, maxHeldBytes, datasets, tuning, connections }: Options): ServiceLimits {
  return {
    upload: { idleMs, graceMs },
    maxHeldBytes,
    maxDatasetFiles: datasets.maxFiles ?? 100,
    stream: { ...streamTuning, ...tuning },
    connections,
  };
}

function accessOf(options: Options): Parts['access'] {
  const made = createHash('sha256').update(harnessAdminKey).digest('hex');
  const identify = createIdentify(readApiKeys(options.apiKeysFile), systemClock, made);
  const trustedProxies = trustedProxiesOf(options);
  const origins = createOriginRules({ ...options, trustedProxies, isLoopback: true });
  const needsKey = options.adminsOnly === true || options.apiKeysFile !== undefined;
  return {
    adminKey: undefined,
    identify,
    assertAdmin: createAssertAdmin(needsKey ? identify : asAdmin(identify), origins),
    callerIdOf: createCallerIdOf(trustedProxies),
    origins,
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

export async function stopHarness({ server, service, model }: Harness): Promise<void> {
  await model.drop();
  service.streams.close();
  await service.close();
  if (!server.listening) return;
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

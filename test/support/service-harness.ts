import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import pino from 'pino';
import { systemClock } from '../../shared/batching/clock';
import { MicroBatcher } from '../../shared/batching/micro-batcher';
import type { ModelList } from '../../shared/contracts/service-status';
import type { Inference } from '../../shared/engine/inference';
import { Metrics } from '../../shared/observability/metrics';
import { createIdentify } from '../../services/classifier/access/api-keys';
import { createApp, routePaths } from '../../services/classifier/app';
import type { Service } from '../../services/classifier/compose';
import { composeStreams, streamTuning, type Streams } from '../../services/classifier/compose-streams';
import { createClassifyClip, type WindowScores } from '../../services/classifier/classify-clip';
import { Gate } from '../../services/classifier/gate';
import { createHttpServer } from '../../services/classifier/http-server';
import { loadPageAssets } from '../../services/classifier/page-assets';
import { InferenceSupervisor } from '../../services/classifier/inference-supervisor';
import { watchLoad } from '../../services/classifier/watch-load';
import { FakeDecoder } from './fake-decoder';
import { FakeInference, manifest } from './fake-inference';

export interface HarnessOptions {
  readonly start?: () => Promise<Inference>;
  readonly listModels?: () => Promise<ModelList>;
  readonly maxRequests?: number;
  readonly maxQueuedItems?: number;
  readonly maxBytes?: number;
  readonly idleMs?: number;
  readonly deadlineMs?: number;
  readonly maxStreams?: number;
  readonly allowedOrigins?: readonly string[];
  readonly apiKeysFile?: string;
  readonly tuning?: Partial<typeof streamTuning>;
}

export interface Harness {
  readonly inference: FakeInference;
  readonly decoder: FakeDecoder;
  readonly metrics: Metrics;
  readonly logLines: Record<string, unknown>[];
  readonly supervisor: InferenceSupervisor;
  readonly batcher: MicroBatcher<Float32Array, WindowScores>;
  readonly gate: Gate;
  readonly streams: Streams;
  readonly server: Server;
  readonly service: Service;
  readonly port: number;
}

const defaults = {
  maxRequests: 64,
  maxQueuedItems: 64,
  maxBytes: 10_000,
  idleMs: 10_000,
  deadlineMs: 60_000,
  maxStreams: 16,
  allowedOrigins: [],
  listModels: (): Promise<ModelList> => Promise.resolve({ served: null, models: [] }),
};

/** The service with a fake decoder and a fake engine behind real HTTP, batching, supervision and gate. */
export async function startHarness(overrides: HarnessOptions = {}): Promise<Harness> {
  const options = { ...defaults, ...overrides };
  const { maxQueuedItems, maxStreams, allowedOrigins } = options;
  const inference = new FakeInference();
  const decoder = new FakeDecoder();
  const metrics = new Metrics(routePaths);
  const logLines: Record<string, unknown>[] = [];
  const logger = pino(
    { level: 'info' },
    { write: (line: string) => logLines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const supervisor = new InferenceSupervisor({
    start: options.start ?? (() => Promise.resolve(inference)),
    firstBackoffMs: 1,
    maxBackoffMs: 10,
    hungAfterMs: 60_000,
    clock: systemClock,
    onServing: () => undefined,
    onLost: () => {
      metrics.engineLost.inc();
    },
  });
  const batcher = new MicroBatcher<Float32Array, WindowScores>({
    run: async (windows) => {
      const { probabilities, inferenceMs } = await supervisor.infer(windows);
      return probabilities.map((scores) => ({ probabilities: scores, inferenceMs }));
    },
    maxItems: 4,
    // Long, so that a batch that waits for a request that never comes is noticed.
    maxDelayMs: 60_000,
    maxQueuedItems,
    clock: systemClock,
  });
  const identify = createIdentify(options.apiKeysFile, systemClock);
  const streams = composeStreams(
    { maxStreams, streamShare: 0.8, allowedOrigins },
    { batcher, manifest: () => manifest, identify, metrics, logger },
    { ...streamTuning, ...options.tuning },
  );
  const gate = new Gate({
    maxRequests: options.maxRequests,
    maxStreams,
    streamsFull: streams.isFull,
    clock: systemClock,
    engine: () => supervisor.state,
    queue: () => ({ full: batcher.queuedItems >= maxQueuedItems, waitMs: batcher.estimatedWaitMs }),
    maxWaitMs: 60_000,
  });
  watchLoad(metrics, gate, batcher);
  const app = createApp({
    classifyClip: createClassifyClip({
      decoder,
      batcher,
      manifest: () => manifest,
      maxClipSeconds: 600,
      maxWindows: maxQueuedItems,
      metrics,
    }),
    gate,
    identify,
    metrics,
    logger,
    version: '1.2.3',
    uploadLimits: { maxBytes: options.maxBytes, idleMs: options.idleMs },
    deadlineMs: options.deadlineMs,
    page: loadPageAssets(join(__dirname, '../../page')),
    listModels: options.listModels,
  });
  const server = createHttpServer(app);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  if (options.start === undefined) await supervisor.started;
  const service = {
    server,
    gate,
    streams: streams.serve(server, gate),
    started: supervisor.started,
    close: async () => {
      await batcher.close();
      await supervisor.close();
      await streams.close();
    },
  };
  return { inference, decoder, metrics, logLines, supervisor, batcher, gate, streams, server, service, port };
}

export async function stopHarness({ server, service, supervisor, streams }: Harness): Promise<void> {
  await supervisor.close();
  service.streams.close();
  await streams.close();
  if (!server.listening) return;
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

import { availableParallelism } from 'node:os';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { createDecoderPool } from '../../shared/audio/decoder-pool';
import { systemClock } from '../../shared/batching/clock';
import { MicroBatcher } from '../../shared/batching/micro-batcher';
import { chooseEngine } from '../../shared/engine/choose-engine';
import type { Inference } from '../../shared/engine/inference';
import { startInference } from '../../shared/engine/start-inference';
import { AppError } from '../../shared/errors/app-error';
import type { Logger } from '../../shared/observability/logger';
import { Metrics } from '../../shared/observability/metrics';
import { openRegistry, type Registry, type Version } from '../../shared/registry/registry';
import { version as packageVersion } from '../../package.json';
import { createIdentify } from './access/api-keys';
import { createApp, routePaths } from './app';
import { createClassifyClip, type WindowScores } from './classify-clip';
import type { Config } from './config';
import { composeStreams } from './compose-streams';
import { Gate } from './gate';
import { createHttpServer } from './http-server';
import { InferenceSupervisor } from './inference-supervisor';
import { createListModels } from './list-models';
import { loadPageAssets } from './page-assets';
import type { StreamServer } from './stream/stream-server';
import { warmUpDecoder } from './warm-up-decoder';
import { watchLoad } from './watch-load';

export interface Service {
  /** Not listening yet. */
  readonly server: Server;
  readonly gate: Gate;
  readonly streams: StreamServer;
  /** Settles when the model is loaded; rejects with why it never will be. */
  readonly started: Promise<void>;
  close(): Promise<void>;
}

/** An upload from which nothing comes for so long is given up. */
const uploadIdleMs = 10_000;
const supervision = { firstBackoffMs: 100, maxBackoffMs: 30_000, hungAfterMs: 30_000 };
/** What the build made of `page/`, for browsers. */
const pageFolder = join(__dirname, '../../page');

/** Builds everything that the service consists of; the model starts loading. */
export function compose(config: Config, logger: Logger): Service {
  const metrics = new Metrics(routePaths);
  const registry = openRegistry(config.modelsFolder);
  const decoder = createDecoderPool({
    threads: config.decodeThreads ?? Math.min(4, Math.max(1, availableParallelism() - 1)),
  });
  const startModel = modelStarter(config, registry, logger);
  const supervisor = new InferenceSupervisor({
    start: async () => {
      const [inference] = await Promise.all([startModel(), warmUpDecoder(decoder)]);
      return inference;
    },
    ...supervision,
    clock: systemClock,
    onServing: ({ manifest, engine }) => {
      const { version, network, weights, classes } = manifest;
      const labels = { version, architecture: network.architecture, sha256: weights.sha256, engine };
      metrics.showModel(labels, classes);
      logger.info(labels, 'the model is loaded and warmed up');
    },
    onLost: (reason, retryMs) => {
      metrics.engineLost.inc();
      logger.error({ retryMs }, reason);
    },
  });
  const serving = (): Inference | undefined =>
    supervisor.state.status === 'ready' ? supervisor.state.inference : undefined;
  const batcher = new MicroBatcher<Float32Array, WindowScores>({
    run: measuredRun(supervisor, metrics),
    maxItems: config.batchMaxWindows,
    maxDelayMs: config.batchMaxDelayMs,
    maxQueuedItems: config.queueMaxWindows,
    streamShare: config.streamShare,
    clock: systemClock,
  });
  const identify = createIdentify(config.apiKeysFile, systemClock);
  const manifest = () => servedManifest(serving());
  const streams = composeStreams(config, { batcher, manifest, identify, metrics, logger });
  const gate = new Gate({
    maxRequests: config.maxConcurrentRequests,
    maxStreams: config.maxStreams,
    streamsFull: streams.isFull,
    engine: () => supervisor.state,
    queue: () => ({ full: batcher.queuedItems >= config.queueMaxWindows, waitMs: batcher.estimatedWaitMs }),
    maxWaitMs: config.requestDeadlineMs,
    clock: systemClock,
  });
  watchLoad(metrics, gate, batcher);

  const classifyClip = createClassifyClip({
    decoder,
    batcher,
    manifest,
    maxClipSeconds: config.maxClipSeconds,
    maxWindows: config.queueMaxWindows,
    metrics,
  });
  const app = createApp({
    classifyClip,
    gate,
    identify,
    metrics,
    logger,
    version: packageVersion,
    uploadLimits: { maxBytes: config.maxUploadBytes, idleMs: uploadIdleMs },
    deadlineMs: config.requestDeadlineMs,
    page: loadPageAssets(pageFolder),
    listModels: createListModels(registry, serving, () => systemClock.now()),
  });
  const server = createHttpServer(app);
  return {
    server,
    gate,
    streams: streams.serve(server, gate),
    started: supervisor.started,
    async close() {
      await batcher.close();
      await Promise.all([supervisor.close(), decoder.close(), streams.close()]);
    },
  };
}

/** Starts the chosen version; chosen once, so that a restarted thread never serves another model than before. */
function modelStarter(config: Config, registry: Registry, logger: Logger): () => Promise<Inference> {
  let chosen: Version | undefined;
  return async () => {
    if (chosen === undefined) {
      const { broken } = await registry.list();
      for (const { name, problem } of broken) logger.warn({ version: name, problem }, 'version skipped');
      chosen = await registry.choose(config.modelVersion);
    }
    const choice = await chooseEngine({
      wish: config.engine,
      kernels: config.engineKernels,
      threads: config.engineThreads,
      onProgress: (line) => {
        logger.info(line);
      },
      onFallback: (reason) => {
        logger.warn(reason);
      },
    });
    return startInference({ choice, version: chosen, warmUpBatches: [1, config.batchMaxWindows] });
  };
}

function measuredRun(
  supervisor: InferenceSupervisor,
  metrics: Metrics,
): (windows: readonly Float32Array[]) => Promise<WindowScores[]> {
  return async (windows) => {
    const { probabilities, inferenceMs } = await supervisor.infer(windows);
    metrics.batchSize.observe(windows.length);
    metrics.inferenceSeconds.observe(inferenceMs / 1000);
    return probabilities.map((scores) => ({ probabilities: scores, inferenceMs }));
  };
}

function servedManifest(inference: Inference | undefined): Inference['manifest'] {
  if (inference !== undefined) return inference.manifest;
  throw new AppError('engine-unavailable', 'The inference thread is being restarted.', {
    details: { retryAfterSeconds: 2 },
  });
}

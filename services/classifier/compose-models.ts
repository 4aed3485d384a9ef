import { encoderCacheFolder } from '../../shared/environment';
import { systemClock } from '../../shared/runtime/clock';
import type { Manifest } from '../../shared/contracts/manifest';
import { encoderOf } from '../../shared/contracts/members';
import type { EngineChoice } from '../../shared/compute/provide/choose-engine';
import { fetchEncoder, findEncoder } from '../../shared/compute/provide/provide-encoder';
import { AppError } from '../../shared/errors/app-error';
import type { ChooseFor } from '../../shared/promotion/promote-version';
import { encoderMissing, isEncoderMissing } from '../../shared/compute/provide/encoder-errors';
import { releaseMemory } from '../../shared/compute/kernels/kernels-addon';
import { startInference } from '../../shared/compute/inference/start-inference';
import type { Logger } from '../../shared/observability/logger';
import type { Metrics } from '../../shared/observability/metrics';
import { openRegistry, type Registry, type Version } from '../../shared/registry/registry';
import { collectGarbage } from '../../shared/runtime/threads/collect-garbage';
import type { Config } from './config';
import { Drift, driftKinds } from './model/drift';
import type { WindowObserver } from './model/judge-windows';
import { batchLimits } from './model/engine/batch-limits';
import { createEngines, type Engines } from './model/engine/engines';
import { LoadedModel } from './model/loaded-model';
import { ModelHost } from './model/model-host';
import { watchServing } from './model/serving-watch';
import { Shadow } from './model/shadow';
import { retryOnShortage } from '../../shared/runtime/retry-on-shortage';

export interface Models {
  readonly host: ModelHost;
  readonly shadow: Shadow;
  readonly registry: Registry;
  /** It must be told of everything that is judged. */
  readonly observer: WindowObserver;
  /** The engine that this process computes on. */
  readonly engine: ChooseFor;
  /** What was measured of a version on this machine's engines, by its weights. */
  readonly scorersOf: Engines['scorersOf'];
  close(): Promise<void>;
}

const supervision = { firstBackoffMs: 100, maxBackoffMs: 30_000, hungAfterMs: 30_000 };

interface ModelsDeps {
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Sees to what else must be ready before the first answer; asked again when it failed. */
  readonly ready: () => Promise<void>;
  /** Told what computes, as soon as it is known. */
  readonly onEngine: (choice: EngineChoice) => void;
  /** Told what answers from now on. */
  readonly onServing: (manifest: Manifest) => void;
}

/** How long a window may be held back while others are on their way; a lone one never is. */
const batchMaxDelayMs = 5;

/**
 * The models of the process and what looks after them; the first starts loading, and what is promoted is
 * followed.
 */
export function composeModels(config: Config, deps: ModelsDeps): Models {
  const { metrics, logger, ready, onEngine, onServing } = deps;
  let warmedUp = ready();
  // Whoever loads a model hears of it.
  warmedUp.catch(() => undefined);
  const warmUp = (): Promise<void> => {
    warmedUp = warmedUp.catch(ready);
    return warmedUp;
  };
  const registry = openRegistry(config.modelsFolder);
  const stopping = new AbortController();
  const encoderCache = encoderCacheFolder();
  const engines = createEngines(config, {
    encoderCache,
    logger,
    signal: stopping.signal,
    onEngine,
    onGivenUp: (engine) => {
      metrics.engineGivenUp.inc({ engine });
    },
    started: () => host.started,
    changeEngine: () => host.changeEngine(),
  });
  const loader =
    (triedOut: boolean) =>
    (version: Version): LoadedModel => {
      let present: EngineChoice | undefined;
      return new LoadedModel({
        manifest: version.manifest,
        start: async (setLimits) => {
          const choice = (present = await engines.forVersion(version));
          assertEncoder(version, choice);
          const limits = batchLimits(choice, config);
          setLimits(limits);
          // WebAssembly would take seconds for a large batch, and gains nothing by having seen one.
          const isSlow = choice.kind === 'wasm' && choice.kernels?.computes !== 'networks';
          const warmUpBatches = triedOut || isSlow ? [1] : [1, limits.maxItems];
          const limitMs = config.modelLoadMs;
          const { inFlight } = limits;
          const load = startInference({ choice, version, warmUpBatches, limitMs, triedOut, inFlight });
          const [inference] = await Promise.all([load, warmUp()]).catch((error: unknown) => {
            engines.failed();
            throw error;
          });
          return inference;
        },
        supervision,
        batching: {
          // Until an engine is chosen, which has limits of its own.
          maxItems: 1,
          maxDelayMs: batchMaxDelayMs,
          maxQueuedItems: config.queueMaxWindows,
          streamShare: config.streamShare,
        },
        clock: systemClock,
        metrics,
        onServing: ({ engine: described }) => {
          const labels = { version: version.manifest.version, engine: described, shadow: triedOut };
          logger.info(labels, 'an inference thread is up');
          if (triedOut) return;
          engines.serving(version, present!);
          onServing(version.manifest);
        },
        onLost: (reason, retryMs, failures) => {
          metrics.engineLost.inc();
          logger.error({ retryMs, version: version.manifest.version, shadow: triedOut }, reason);
          if (present !== undefined) engines.lost(present, reason, failures);
        },
      });
    };
  const drift = new Drift();
  const shadow: Shadow = new Shadow({
    registry,
    metrics,
    logger,
    load: loader(true),
    isBusy: () => host.queuedWindows > 0,
  });
  const host: ModelHost = new ModelHost({
    registry,
    shadow,
    drift,
    metrics,
    logger,
    load: loader(false),
    // Who fetches the encoder says why it cannot be had; where it is off, nobody fetches it.
    isLoggedElsewhere: (error) => config.encoder !== 'off' && isEncoderMissing(error),
    modelsFolder: config.modelsFolder,
    forced: config.modelVersion,
    limitMs: config.modelLoadMs,
    clock: systemClock,
  });
  metrics.watchDrift(driftKinds, drift);
  void host.started.then(releaseLoading, () => undefined);
  void provideEncoder(config, encoderCache, { host, logger, signal: stopping.signal });
  const stopWatching = watchServing(
    config.modelsFolder,
    () => void host.follow(),
    () => host.isBehind,
  );
  return {
    host,
    shadow,
    registry,
    engine: engines.forGood,
    scorersOf: engines.scorersOf,
    observer: (manifest, windows) => {
      drift.look(manifest, windows);
      shadow.look(manifest, windows);
    },
    close: async () => {
      stopWatching();
      stopping.abort();
      await host.close();
      await engines.settled();
    },
  };
}

/** Gives the system back what loading the first model took. */
function releaseLoading(): void {
  collectGarbage();
  releaseMemory();
}

/**
 * Refuses a version before a thread is started in vain for it. @throws AppError engine-unavailable where
 * its encoder is not here
 */
function assertEncoder({ manifest }: Version, { encoderFile }: EngineChoice): void {
  const encoder = encoderOf(manifest.frontEnds);
  if (encoder?.encoder.name === 'mn04_as' && encoderFile === undefined) throw encoderMissing(encoder);
}

/**
 * Fetches the pretrained encoder where it is wanted and not here, beside serving: nothing waits for it,
 * and when it has come the best version that needs it takes over.
 */
async function provideEncoder(
  config: Config,
  cacheFolder: string,
  { host, logger, signal }: { host: ModelHost; logger: Logger; signal: AbortSignal },
): Promise<void> {
  const onShortage = (problem: string, retryMs: number): void => {
    logger.warn({ problem, retryMs }, 'the pretrained encoder cannot be had for now: trying again');
  };
  const fetchUnlessHere = async (): Promise<string | undefined> => {
    if ((await findEncoder(config.encoder, cacheFolder)) !== undefined) return undefined;
    return fetchEncoder({ wish: config.encoder, cacheFolder, signal });
  };
  try {
    const file = await retryOnShortage(fetchUnlessHere, { clock: systemClock, signal, onShortage });
    if (file === undefined) return;
    logger.info({ file }, 'the pretrained encoder is here');
    await host.reconsider();
  } catch (error) {
    if (!signal.aborted)
      logger.warn({ problem: AppError.from(error).message }, 'versions on the encoder are passed over');
  }
}

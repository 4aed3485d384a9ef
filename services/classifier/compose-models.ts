import { encoderCacheFolder } from '../../shared/environment';
import { systemClock } from '../../shared/runtime/clock';
import type { NetworkConfig } from '../../shared/contracts/architecture';
import { distinctNetworks, encoderOf } from '../../shared/contracts/members';
import type { EngineChoice } from '../../shared/compute/provide/choose-engine';
import { fetchEncoder, findEncoder, findEncoderFor } from '../../shared/compute/provide/provide-encoder';
import { AppError } from '../../shared/errors/app-error';
import type { ChooseFor } from '../../shared/promotion/promote-version';
import { encoderMissing, isEncoderMissing } from '../../shared/compute/provide/encoder-file';
import { releaseMemory } from '../../shared/compute/kernels/kernels-addon';
import { startInference } from '../../shared/compute/inference/start-inference';
import type { Logger } from '../../shared/observability/logger';
import type { Metrics } from '../../shared/observability/metrics';
import { openRegistry, type Registry, type Version } from '../../shared/registry/registry';
import { collectGarbage } from '../../shared/runtime/threads/collect-garbage';
import type { Config } from './config';
import { Drift, driftKinds } from './model/drift';
import type { WindowObserver } from './model/judge-windows';
import { createEngineChooser } from './model/engine-chooser';
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
}

/** How long a window may be held back while others are on their way; a lone one never is. */
const batchMaxDelayMs = 5;

/**
 * The models of the process and what looks after them; the first starts loading, and what is promoted is
 * followed.
 */
export function composeModels(config: Config, deps: ModelsDeps): Models {
  const { metrics, logger, ready, onEngine } = deps;
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
  const chooser = createEngineChooser(config, {
    logger,
    signal: stopping.signal,
    onBetter: () => host.changeEngine(),
  });
  /** What is fetched or built, and must have cleared up before the process ends. */
  const choosing = new Set<Promise<EngineChoice>>();
  const choose = async (from: ChooseFor, networks: readonly NetworkConfig[]): Promise<EngineChoice> => {
    const finding = findEncoderFor(networks, config.encoder, encoderCache);
    const chosen = withEncoderFile(from(networks), finding);
    choosing.add(chosen);
    try {
      const choice = await chosen;
      onEngine(choice);
      return choice;
    } finally {
      choosing.delete(chosen);
    }
  };
  const loader =
    (triedOut: boolean) =>
    (version: Version): LoadedModel =>
      new LoadedModel({
        manifest: version.manifest,
        start: async () => {
          const choice = await choose(chooser.atOnce, distinctNetworks(version.manifest));
          assertEncoder(version, choice);
          // WebAssembly would take seconds for a large batch, and gains nothing by having seen one.
          const isSlow = choice.kind === 'wasm' && choice.kernels === undefined;
          const warmUpBatches = triedOut || isSlow ? [1] : [1, config.batchMaxWindows];
          const limitMs = config.modelLoadMs;
          const load = startInference({ choice, version, warmUpBatches, limitMs, triedOut });
          const [inference] = await Promise.all([load, warmUp()]);
          return inference;
        },
        supervision,
        batching: {
          maxItems: config.batchMaxWindows,
          maxDelayMs: batchMaxDelayMs,
          maxQueuedItems: config.queueMaxWindows,
          streamShare: config.streamShare,
        },
        clock: systemClock,
        metrics,
        onServing: ({ engine: described }) => {
          const labels = { version: version.manifest.version, engine: described, shadow: triedOut };
          logger.info(labels, 'an inference thread is up');
        },
        onLost: (reason, retryMs) => {
          metrics.engineLost.inc();
          logger.error({ retryMs, version: version.manifest.version, shadow: triedOut }, reason);
        },
      });
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
  void host.started.then(
    () => {
      collectGarbage();
      releaseMemory();
    },
    () => undefined,
  );
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
    engine: (networks) => choose(chooser.forGood, networks),
    observer: (manifest, windows) => {
      drift.look(manifest, windows);
      shadow.look(manifest, windows);
    },
    close: async () => {
      stopWatching();
      stopping.abort();
      await host.close();
      await Promise.allSettled([...choosing, chooser.settled()]);
    },
  };
}

/**
 * Before a thread is started for nothing. @throws AppError engine-unavailable where the version's
 * encoder is not here
 */
function assertEncoder({ manifest }: Version, { encoderFile }: EngineChoice): void {
  const encoder = encoderOf(manifest.frontEnds);
  if (encoder !== undefined && encoderFile === undefined) throw encoderMissing(encoder);
}

/** The engine with the pretrained encoder's file, where it is on this machine. */
async function withEncoderFile(
  choosing: Promise<EngineChoice>,
  finding: Promise<string | undefined>,
): Promise<EngineChoice> {
  const [choice, encoderFile] = await Promise.all([choosing, finding]);
  return encoderFile === undefined ? choice : { ...choice, encoderFile };
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

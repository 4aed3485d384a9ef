import { systemClock } from '../../../shared/runtime/clock';
import { buildKernels, findKernels } from '../../../shared/compute/provide/build-kernels';
import {
  chooseEngine,
  defaultEngineCache,
  isForKernels,
  type ChooseOptions,
} from '../../../shared/compute/provide/choose-engine';
import { loadKernels } from '../../../shared/compute/kernels/kernels-addon';
import { AppError } from '../../../shared/errors/app-error';
import type { ChooseFor } from '../../../shared/promotion/promote-version';
import { begun } from '../../../shared/runtime/processes/background';
import type { Logger } from '../../../shared/observability/logger';
import type { Config } from '../config';
import { throughShortages } from '../../../shared/runtime/through-shortages';

export interface EngineChooser {
  /** The engine that can score these networks at once. */
  readonly atOnce: ChooseFor;
  /** The engine that is to score them for good: waits for kernels that are being built. */
  readonly forGood: ChooseFor;
  /** Resolves when nothing is built any more. */
  settled(): Promise<void>;
}

interface EngineChooserDeps {
  readonly logger: Logger;
  /** Calls off what is fetched and built. */
  readonly signal: AbortSignal;
  /** Called when better kernels than the engine in use are here; a rejection says why they are not used. */
  readonly onKernels: () => Promise<void>;
}

/**
 * Which engine the service computes on. Where nobody asked for a certain one and the native kernels are not built yet, WebAssembly
 * answers while they are built behind everything else.
 */
export function createEngineChooser(
  { engine, engineKernels, engineThreads }: Pick<Config, 'engine' | 'engineKernels' | 'engineThreads'>,
  { logger, signal, onKernels }: EngineChooserDeps,
): EngineChooser {
  const cacheFolder = defaultEngineCache(process.env);
  const onProgress = (line: string): void => {
    logger.info(line);
  };
  let building: Promise<void> | undefined;
  let givenUp = false;
  const onShortage = (problem: string, retryMs: number): void => {
    logger.warn({ problem, retryMs }, 'the native kernels cannot be had for now: trying again');
  };
  const buildAndChange = async (): Promise<void> => {
    loadKernels(await buildKernels({ cacheFolder, onProgress, signal, inBackground: true }));
    await onKernels();
  };
  const build = async (): Promise<void> => {
    try {
      await throughShortages(buildAndChange, { clock: systemClock, signal, onShortage });
    } catch (error) {
      if (signal.aborted) return;
      givenUp = true;
      const reason = AppError.from(error).message;
      logger.warn(`WebAssembly answers on, several times slower than the native kernels would: ${reason}`);
    }
  };
  const atOnce: ChooseFor = async (networks) => {
    const options: ChooseOptions = {
      ...{ wish: engine, kernels: engineKernels, threads: engineThreads, signal, onProgress },
      task: { networks, trains: false },
      onFallback: (reason) => {
        logger.warn(reason);
      },
    };
    const mayWait = engine === 'auto' && engineKernels === 'auto' && isForKernels(options);
    if (!mayWait || (!givenUp && (await findKernels(cacheFolder)) !== undefined))
      return chooseEngine(options);
    if (!givenUp) building ??= begun(build());
    return chooseEngine({ ...options, wish: 'wasm' });
  };
  return {
    atOnce,
    forGood: async (networks) => {
      await building;
      return atOnce(networks);
    },
    settled: async () => {
      await building;
    },
  };
}

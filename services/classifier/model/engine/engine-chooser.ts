import type { NetworkConfig } from '../../../../shared/contracts/architecture';
import type { EngineWish, KernelsWish } from '../../../../shared/environment';
import { systemClock } from '../../../../shared/runtime/clock';
import {
  chooseEngine,
  enginesHere,
  missingParts,
  providePart,
  type ChooseOptions,
  type EngineChoice,
  type EnginePart,
} from '../../../../shared/compute/provide/choose-engine';
import { AppError } from '../../../../shared/errors/app-error';
import type { ChooseFor } from '../../../../shared/promotion/promote-version';
import { startInBackground } from '../../../../shared/runtime/processes/start-in-background';
import type { Logger } from '../../../../shared/observability/logger';
import { retryOnShortage } from '../../../../shared/runtime/retry-on-shortage';

export interface EngineChooser {
  /** The engine that can score these networks at once. */
  readonly atOnce: ChooseFor;
  /**
   * The engine that is to score them: waits for kernels that are being built, and for nothing of the
   * network.
   */
  readonly forGood: ChooseFor;
  /** Every engine of this machine that can score these networks, where it is left open which. */
  readonly here: (networks: readonly NetworkConfig[]) => Promise<readonly EngineChoice[]>;
  /**
   * Passes an engine over from now on, where it is left open which, and something else remains.
   * @returns the part that was given up, once
   */
  giveUp(choice: EngineChoice, reason: string): EnginePart | undefined;
  /** Resolves when nothing is fetched or built any more. */
  settled(): Promise<void>;
}

interface EngineChooserDeps {
  readonly logger: Logger;
  /** Calls off what is fetched and built. */
  readonly signal: AbortSignal;
  /** Called when a better engine than the one in use is here; a rejection says why it is not used. */
  readonly onBetter: () => Promise<void>;
}

/** What is said of a part that cannot be had, before the reason. */
const withoutPart: Readonly<Record<EnginePart, string>> = {
  kernels: 'WebAssembly answers on, several times slower than the native kernels would',
  cuda: 'cuda engine unavailable, what answers goes on',
  cpu: 'cpu engine unavailable, what answers goes on',
};

/** What was asked for (shared/environment.ts). */
export interface EngineSettings {
  readonly engine: EngineWish;
  readonly engineKernels: KernelsWish;
  readonly engineThreads: number | undefined;
}

/**
 * Which engine the service computes on. Where nobody asked for a certain one, it answers on the best
 * that is on this machine, WebAssembly at least, while better ones are fetched and built behind
 * everything else.
 */
export function createEngineChooser(
  { engine, engineKernels, engineThreads }: EngineSettings,
  { logger, signal, onBetter }: EngineChooserDeps,
): EngineChooser {
  const onProgress = sparsely((line) => {
    logger.info(line);
  });
  const givenUp = new Set<EnginePart>();
  const coming = new Map<EnginePart, Promise<void>>();
  /** What was chosen last, by networks. */
  const inUse = new Map<string, EngineChoice>();
  const isOpen = engine === 'auto';

  const optionsFor = (networks: readonly NetworkConfig[]): ChooseOptions => ({
    wish: engine,
    kernels: engineKernels,
    threads: engineThreads,
    signal,
    onProgress,
    task: { networks, trains: false },
    onFallback: (reason) => {
      logger.warn(reason);
    },
    ...(isOpen && { hereOnly: true, without: givenUp }),
  });
  const provide = async (part: EnginePart, networks: readonly NetworkConfig[]): Promise<void> => {
    const options = optionsFor(networks);
    const onShortage = (problem: string, retryMs: number): void => {
      logger.warn({ problem, retryMs, part }, 'an engine cannot be had for now: trying again');
    };
    const provideAndChange = async (): Promise<void> => {
      await providePart(part, options);
      if (!isSame(await chooseEngine(options), inUse.get(keyOf(networks)))) await onBetter();
    };
    try {
      await retryOnShortage(provideAndChange, { clock: systemClock, signal, onShortage });
    } catch (error) {
      if (signal.aborted) return;
      givenUp.add(part);
      logger.warn(`${withoutPart[part]}: ${AppError.from(error).message}`);
      // What comes after it may be wanted now. Where that cannot be told, whoever loads a version next
      // asks again.
      await begin(networks).catch(() => undefined);
    }
  };
  /** Begins whatever is missing now, and was not begun before. */
  const begin = async (networks: readonly NetworkConfig[]): Promise<void> => {
    for (const part of await missingParts(optionsFor(networks))) {
      if (!coming.has(part)) coming.set(part, startInBackground(provide(part, networks)));
    }
  };
  const atOnce: ChooseFor = async (networks) => {
    if (isOpen) await begin(networks);
    const choice = await chooseEngine(optionsFor(networks));
    inUse.set(keyOf(networks), choice);
    return choice;
  };
  return {
    atOnce,
    forGood: async (networks) => {
      await coming.get('kernels');
      return atOnce(networks);
    },
    here: async (networks) => (isOpen && engineKernels === 'auto' ? enginesHere(optionsFor(networks)) : []),
    giveUp: (choice, reason) => {
      const part = isOpen ? bindingOf(choice) : undefined;
      if (part === undefined || givenUp.has(part)) return undefined;
      givenUp.add(part);
      logger.error({ part }, `The ${part} engine is given up until the next start: ${reason}`);
      return part;
    },
    settled: async () => {
      // A part that cannot be had may lead to another.
      for (let known = -1; known < coming.size;) {
        known = coming.size;
        await Promise.all(coming.values());
      }
    },
  };
}

/** The libtensorflow that computes; undefined: the kernels, or WebAssembly, which always remains. */
function bindingOf(choice: EngineChoice): EnginePart | undefined {
  return choice.kind === 'wasm' || choice.bindingPath === undefined ? undefined : choice.kind;
}

function keyOf(networks: readonly NetworkConfig[]): string {
  return JSON.stringify(networks);
}

function isSame(one: EngineChoice, other: EngineChoice | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

const progressEveryMs = 10_000;

/** Passes a line on where another thing is done than before, and otherwise every ten seconds. */
function sparsely(log: (line: string) => void): (line: string) => void {
  let last = { step: '', atMs: 0 };
  return (line) => {
    const [step, atMs] = [line.replace(/: +\d+ of/, ':'), systemClock.now()];
    if (step === last.step && atMs - last.atMs < progressEveryMs) return;
    last = { step, atMs };
    log(line);
  };
}

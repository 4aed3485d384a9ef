import type { NetworkConfig } from '../../../../shared/contracts/architecture';
import { distinctNetworks } from '../../../../shared/contracts/members';
import type { EngineChoice, EnginePart } from '../../../../shared/compute/provide/choose-engine';
import { findEncoderFor } from '../../../../shared/compute/provide/provide-encoder';
import { measureInProcess } from '../../../../shared/promotion/measure-process';
import type { ChooseFor } from '../../../../shared/promotion/promote-version';
import type { Logger } from '../../../../shared/observability/logger';
import type { Version } from '../../../../shared/registry/registry';
import { batchLimits, type BatchSettings } from './batch-limits';
import { createEngineChooser, type EngineSettings } from './engine-chooser';
import { ScorerTrials, type TriedScorer } from './scorer-trials';

/** What the models of the process are computed on. */
export interface Engines {
  /** The engine to score a version on now: the fastest where that was measured, else the best by kind. */
  forVersion(version: Version): Promise<EngineChoice>;
  /** The engine for these networks, after kernels that are being built; with the pretrained encoder. */
  readonly forGood: ChooseFor;
  /** To be called when a version is served: other engines of this machine are timed on it. */
  serving(version: Version, on: EngineChoice): void;
  /** To be called when a version could not be loaded on what `forVersion` gave. */
  failed(): void;
  /** To be called when what an engine computed failed so often in turn, without an answer. */
  lost(on: EngineChoice, reason: string, failures: number): void;
  /** What was measured of a version, by its weights. */
  readonly scorersOf: (sha256: string) => readonly TriedScorer[];
  /** Resolves when nothing is chosen, fetched, built or timed any more. */
  settled(): Promise<void>;
}

export interface EngineConfig extends EngineSettings, BatchSettings {
  /** Where the pretrained encoder is from (shared/environment.ts). */
  readonly encoder: string;
  readonly modelLoadMs: number;
}

interface EnginesDeps {
  readonly encoderCache: string;
  readonly logger: Logger;
  /** Calls off what is fetched, built and timed. */
  readonly signal: AbortSignal;
  /** Told what computes, as soon as it is known. */
  readonly onEngine: (choice: EngineChoice) => void;
  /** Resolves when a model answers for the first time. */
  readonly started: () => Promise<void>;
  /** Told of an engine that is passed over from now on. */
  readonly onGivenUp: (part: EnginePart) => void;
  /** Loads what is served once more, on the engine that `forVersion` gives now. */
  readonly changeEngine: () => Promise<void>;
}

/** An engine that fails so often in turn is passed over, such as one whose GPU is gone. */
const maxFailures = 3;

export function createEngines(config: EngineConfig, deps: EnginesDeps): Engines {
  const { encoderCache, logger, signal, onEngine, onGivenUp, started, changeEngine } = deps;
  const chooser = createEngineChooser(config, {
    logger,
    signal,
    onBetter: () => {
      trials.forget();
      return changeEngine();
    },
  });
  /** What is fetched or built, and must have cleared up before the process ends. */
  const choosing = new Set<Promise<EngineChoice>>();
  const choose = async (from: ChooseFor, networks: readonly NetworkConfig[]): Promise<EngineChoice> => {
    const finding = findEncoderFor(networks, config.encoder, encoderCache);
    const chosen = Promise.all([from(networks), finding]).then(([choice, file]) => withEncoder(choice, file));
    choosing.add(chosen);
    try {
      const choice = await chosen;
      onEngine(choice);
      return choice;
    } finally {
      choosing.delete(chosen);
    }
  };
  const trials = new ScorerTrials({
    candidates: async ({ manifest }) => {
      const networks = distinctNetworks(manifest);
      const finding = findEncoderFor(networks, config.encoder, encoderCache);
      const [engines, file] = await Promise.all([chooser.here(networks), finding]);
      return engines.map((choice) => withEncoder(choice, file));
    },
    batchWindows: (choice) => batchLimits(choice, config).maxItems,
    measure: (version, choice, batchWindows) => {
      const how = { choice, limitMs: config.modelLoadMs, batchWindows, isExpendable: true };
      return measureInProcess(version, undefined, how, signal);
    },
    logger,
    signal,
  });
  /** What serves now. An engine that another one took over from meanwhile is not timed. */
  let present: EngineChoice | undefined;
  const serving = async (version: Version, on: EngineChoice): Promise<void> => {
    present = on;
    await started();
    await chooser.settled();
    if (present === on) trials.begin(version, on, changeEngine);
  };
  return {
    forVersion: async (version) =>
      trials.fastest(version) ?? choose(chooser.atOnce, distinctNetworks(version.manifest)),
    forGood: (networks) => choose(chooser.forGood, networks),
    serving: (version, on) => {
      // Where no model ever answers there is nothing to time.
      serving(version, on).catch(() => undefined);
    },
    failed: () => {
      trials.forget();
    },
    lost: (on, reason, failures) => {
      const part = failures < maxFailures ? undefined : chooser.giveUp(on, reason);
      if (part === undefined) return;
      trials.forget();
      onGivenUp(part);
    },
    scorersOf: (sha256) => trials.scorersOf(sha256),
    settled: async () => {
      await Promise.allSettled([...choosing, chooser.settled()]);
      await trials.settled();
    },
  };
}

/** The engine with the pretrained encoder's file, where it is on this machine. */
function withEncoder(choice: EngineChoice, encoderFile: string | undefined): EngineChoice {
  return encoderFile === undefined ? choice : { ...choice, encoderFile };
}

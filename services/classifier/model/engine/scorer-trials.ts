import type { EngineChoice } from '../../../../shared/compute/provide/choose-engine';
import { AppError } from '../../../../shared/errors/app-error';
import { gateLimits, type Measured } from '../../../../shared/promotion/gate';
import type { Logger } from '../../../../shared/observability/logger';
import type { Version } from '../../../../shared/registry/registry';
import { startInBackground } from '../../../../shared/runtime/processes/start-in-background';
import { fastestScorer, type ScorerFigures } from './fastest-scorer';

/** A scorer that was tried, and whether it is the one that was taken. */
export type TriedScorer = ScorerFigures & { readonly taken: boolean };

interface ScorerTrialsDeps {
  /** Every engine of this machine that can score the version at once. */
  readonly candidates: (version: Version) => Promise<readonly EngineChoice[]>;
  /** Largest batch that an engine is given. */
  readonly batchWindows: (choice: EngineChoice) => number;
  /** Times a version on an engine, in a process that may die of it. */
  readonly measure: (version: Version, choice: EngineChoice, batchWindows: number) => Promise<Measured>;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

interface Trial {
  /** The candidates, to see whether others have come since. */
  readonly key: string;
  readonly scorers: readonly TriedScorer[];
  readonly taken: EngineChoice;
}

/**
 * Which of a machine's engines scores a version fastest, by measurement on the very version. Trials run
 * beside serving, one engine at a time; where there is only one nothing is measured.
 */
export class ScorerTrials {
  readonly #deps: ScorerTrialsDeps;
  readonly #trials = new Map<string, Trial>();
  #last: Promise<void> = Promise.resolve();

  constructor(deps: ScorerTrialsDeps) {
    this.#deps = deps;
  }

  /** The engine that was fastest for this version; undefined: none was tried. */
  fastest({ manifest }: Version): EngineChoice | undefined {
    return this.#trials.get(manifest.weights.sha256)?.taken;
  }

  /** What was measured, for people; empty where there was no choice, or not yet. */
  scorersOf(sha256: string): readonly TriedScorer[] {
    return this.#trials.get(sha256)?.scorers ?? [];
  }

  /** What was measured counts no more: other engines are here, or one could not be used. */
  forget(): void {
    this.#trials.clear();
  }

  /**
   * Tries the version on every engine, after the trials that wait already, unless that was done.
   * @param present the engine that it is served on
   * @param onFaster called where another engine is faster; a rejection says why it is not used
   */
  begin(version: Version, present: EngineChoice, onFaster: () => Promise<void>): void {
    this.#last = startInBackground(this.#last.then(() => this.#try(version, present, onFaster)));
  }

  /** Resolves when no trial runs any more. */
  async settled(): Promise<void> {
    await this.#last;
  }

  async #try(version: Version, present: EngineChoice, onFaster: () => Promise<void>): Promise<void> {
    const { logger } = this.#deps;
    const { version: name, weights } = version.manifest;
    if (this.#isOver()) return;
    try {
      const others = await this.#deps.candidates(version);
      const candidates = [present, ...others.filter((choice) => !isSame(choice, present))];
      const key = JSON.stringify(candidates.map((choice) => JSON.stringify(choice)).sort());
      if (candidates.length < 2 || this.#trials.get(weights.sha256)?.key === key) return;
      const figures: ScorerFigures[] = [];
      for (const choice of candidates) {
        if (this.#isOver()) return;
        figures.push(await this.#measure(version, choice));
      }
      if (this.#isOver()) return;
      const index = fastestScorer(figures, 0, gateLimits.parityTolerance);
      const scorers = figures.map((ofOne, place) => ({ ...ofOne, taken: place === index }));
      this.#trials.set(weights.sha256, { key, scorers, taken: candidates[index]! });
      logger.info({ version: name, scorers }, 'the engines of this machine were timed on the version');
      if (index !== 0) await onFaster();
    } catch (error) {
      this.#trials.delete(weights.sha256);
      if (!this.#isOver())
        logger.warn({ version: name }, `An engine is not used: ${AppError.from(error).message}`);
    }
  }

  #isOver(): boolean {
    return this.#deps.signal.aborted;
  }

  async #measure(version: Version, choice: EngineChoice): Promise<ScorerFigures> {
    const batchWindows = this.#deps.batchWindows(choice);
    try {
      const { engine, windowMs, batchWindowMs, parity } = await this.#deps.measure(
        version,
        choice,
        batchWindows,
      );
      return {
        engine,
        windowMs,
        batchWindowMs: batchWindowMs!,
        batchWindows,
        largestDifference: parity?.largestDifference,
      };
    } catch (error) {
      return { engine: choice.kind, problem: AppError.from(error).message };
    }
  }
}

function isSame(one: EngineChoice, other: EngineChoice): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

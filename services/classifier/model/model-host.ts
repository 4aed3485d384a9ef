import type { Clock } from '../../../shared/runtime/clock';
import type { ServingState } from '../../../shared/contracts/lifecycle';
import { architectureOf } from '../../../shared/contracts/members';
import { AppError } from '../../../shared/errors/app-error';
import { isShortage } from '../../../shared/errors/machine-fault';
import { gateLimits } from '../../../shared/promotion/gate';
import { measureParity } from '../../../shared/promotion/golden-parity';
import type { Logger } from '../../../shared/observability/logger';
import type { Metrics } from '../../../shared/observability/metrics';
import { readGolden } from '../../../shared/registry/golden-file';
import type { Registry, Version } from '../../../shared/registry/registry';
import { readReport } from '../../../shared/registry/report-file';
import { readServingState } from '../../../shared/registry/serving-state';
import { withTimeout } from '../../../shared/runtime/with-timeout';
import type { EngineState } from './inference-supervisor';
import { Backoff } from '../../../shared/runtime/backoff';
import type { Drift } from './drift';
import type { Lease, LoadedModel, WindowBatcher } from './loaded-model';
import type { Shadow } from './shadow';

export interface ModelHostOptions {
  readonly registry: Registry;
  readonly modelsFolder: string;
  /** `MODEL_VERSION`: serves this one whatever is promoted. */
  readonly forced: string | undefined;
  /** Begins to load a version; `LoadedModel.started` says when it can answer. */
  readonly load: (version: Version) => LoadedModel;
  /** Whether somebody else logs why a version cannot be loaded, so that one problem is one line. */
  readonly isLoggedElsewhere: (error: AppError) => boolean;
  /** The golden clips are given up after so long; `load` bounds the loading. */
  readonly limitMs: number;
  readonly shadow: Shadow;
  readonly drift: Drift;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** Why another version answers than the one that should. */
export interface FollowProblem {
  /** Undefined: it cannot be told which should. */
  readonly version: string | undefined;
  readonly reason: string;
}

/**
 * The models of this process: the one that answers, those that still have something to answer, and the
 * shadow. Follows what is promoted: loads the new one beside the old, lets it prove itself on the golden
 * clips, and only then gives it to those who ask. Whatever fails on the way, the old one stays.
 */
export class ModelHost {
  /** Settles when a model can answer; rejects with why none ever will. */
  readonly started: Promise<void>;
  readonly #options: ModelHostOptions;
  readonly #backoff: Backoff;
  readonly #retiring = new Set<LoadedModel>();
  #current: LoadedModel | undefined;
  #loading: LoadedModel | undefined;
  #problem: FollowProblem | undefined;
  #following: Promise<void> | undefined;
  #again = false;
  #retryAtMs = 0;
  #closed = false;
  /**
   * Whether the best version serves where nobody promoted or pinned one: since more versions can be
   * loaded than at the start.
   */
  #wantsBest = false;

  constructor(options: ModelHostOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.clock);
    this.started = this.#startInTheEnd();
    this.started.catch(() => undefined);
  }

  /** Undefined until the first one is loaded. */
  get current(): LoadedModel | undefined {
    return this.#current;
  }

  get state(): EngineState {
    return this.#current?.state ?? { status: 'starting', reason: 'The model is being loaded.' };
  }

  /** Windows that wait for an engine. */
  get queuedWindows(): number {
    return this.#batchers.reduce((sum, { queuedItems }) => sum + queuedItems, 0);
  }

  /**
   * Whether no window of this caller's fits into the queue, and how long one that came now would wait.
   */
  queueFor(caller: string): { readonly full: boolean; readonly waitMs: number } {
    return {
      full: this.#current?.batcher.isFull(caller) ?? false,
      waitMs: this.#batchers.reduce((sum, batcher) => sum + batcher.estimatedWaitMs(caller), 0),
    };
  }

  /** Returns the batchers of the model that answers, and of those that finish what they were given. */
  get #batchers(): WindowBatcher[] {
    const models = [...this.#retiring, ...(this.#current === undefined ? [] : [this.#current])];
    return models.map(({ batcher }) => batcher);
  }

  get problem(): FollowProblem | undefined {
    return this.#problem;
  }

  /** Whether a change could not be followed, and it is time to try again. */
  get isBehind(): boolean {
    return this.#problem !== undefined && this.#options.clock.now() >= this.#retryAtMs;
  }

  /** The model that answers now, for as long as the caller needs it. @throws AppError starting */
  readonly lease = (): Lease => {
    if (this.#current !== undefined) return this.#current.lease();
    throw new AppError('starting', 'The model is being loaded.', { details: { retryAfterSeconds: 2 } });
  };

  /**
   * Looks what should serve and sees to it; resolves when that is done, or has failed and `problem` says
   * why.
   */
  async follow(): Promise<void> {
    this.#again = true;
    this.#following ??= this.#followAll().finally(() => {
      this.#following = undefined;
    });
    await this.#following;
  }

  /**
   * Looks for a better version than the one that was loaded first: something that it needs has come
   * since.
   */
  async reconsider(): Promise<void> {
    this.#wantsBest = true;
    await this.follow();
  }

  /**
   * Loads the version that answers once more, because a better engine is here for it. It answers on
   * until the new one has proved itself on the golden clips.
   * @throws AppError with what speaks against the new one; the old one stays
   */
  async changeEngine(): Promise<void> {
    await this.started;
    while (this.#following !== undefined) await this.#following;
    const version = this.#current?.manifest.version;
    if (version === undefined || this.#closed) return;
    const changing = this.#options.registry.read(version).then((read) => this.#serve(read));
    this.#following = changing
      .catch(() => undefined)
      .finally(() => {
        this.#following = undefined;
        // Somebody may have asked meanwhile.
        if (this.#again) void this.follow();
      });
    await changing;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#backoff.end();
    const retired = [...this.#retiring].map((model) => model.close());
    await Promise.all([
      ...retired,
      this.#loading?.drop(),
      this.#current?.close(),
      this.#options.shadow.close(),
    ]);
  }

  /**
   * As `startFirst`, again and again while the machine has too little of something: that says nothing of
   * the version that should serve, and another one may not take its place.
   */
  async #startInTheEnd(): Promise<void> {
    while (!this.#closed) {
      try {
        await this.#startFirst();
        return;
      } catch (error) {
        if (!isShortage(error)) throw error;
        const retryMs = this.#backoff.failed();
        const problem = AppError.from(error).message;
        this.#options.logger.error({ problem, retryMs }, 'no model can be loaded for now: trying again');
        await this.#backoff.wait(retryMs);
      }
    }
  }

  /** The first of those that should serve which loads; whoever is asked for by name alone may. */
  async #startFirst(): Promise<void> {
    const { registry, forced, logger, isLoggedElsewhere } = this.#options;
    const { broken } = await registry.list();
    for (const { name, problem } of broken) logger.warn({ version: name, problem }, 'version skipped');
    const candidates = await registry.candidates(forced);
    let failure: unknown;
    for (const version of candidates) {
      try {
        await this.#serve(version);
        if (!this.#closed) void this.follow();
        return;
      } catch (error) {
        if (this.#closed) return;
        if (isShortage(error)) throw error;
        failure ??= error;
        const problem = AppError.from(error);
        if (isLoggedElsewhere(problem)) continue;
        const facts = { version: version.manifest.version, problem: problem.message };
        logger.warn(facts, 'version cannot be loaded');
      }
    }
    throw failure;
  }

  async #followAll(): Promise<void> {
    // Where nothing could be loaded, whoever waits for `started` hears of it.
    const isUp = await this.started.then(
      () => true,
      () => false,
    );
    while (isUp && this.#again && !this.#closed) {
      this.#again = false;
      try {
        await this.#followOnce();
      } catch (error) {
        this.#fail({ version: undefined, reason: AppError.from(error).message });
      }
    }
  }

  /** @throws when it cannot be told what should serve */
  async #followOnce(): Promise<void> {
    const { state, problems } = await readServingState(this.#options.modelsFolder);
    // Of a file that cannot be read nobody knows what it says: what serves goes on.
    if (problems.length > 0) this.#fail({ version: undefined, reason: problems.join(' ') });
    else await this.#followTo(state);
  }

  async #followTo(state: ServingState | undefined): Promise<void> {
    const { forced, shadow } = this.#options;
    const wanted = forced ?? state?.pinned ?? state?.current ?? (await this.#best());
    if (wanted !== undefined && wanted !== this.#current?.manifest.version) {
      try {
        await this.#replace(wanted);
      } catch (error) {
        this.#fail({ version: wanted, reason: AppError.from(error).message });
        return;
      }
    }
    await shadow.follow(state?.shadow ?? undefined);
    this.#problem = undefined;
    this.#backoff.succeeded();
  }

  /** The version that serves where nobody said which; undefined: the one that was loaded first. */
  async #best(): Promise<string | undefined> {
    return this.#wantsBest ? (await this.#options.registry.choose()).manifest.version : undefined;
  }

  async #replace(name: string): Promise<void> {
    const { registry, metrics } = this.#options;
    const stopTimer = metrics.modelReloadSeconds.startTimer();
    const version = await registry.read(name);
    await this.#serve(version);
    stopTimer();
    metrics.modelReloads.inc({ result: 'loaded' });
  }

  /**
   * Loads a version and gives it to those who ask from now on. @throws whatever speaks against it; the
   * one before stays then
   */
  async #serve(version: Version): Promise<void> {
    const { load, limitMs, drift, metrics, logger } = this.#options;
    const report = await readReport(version.folder);
    const model = load(version);
    this.#loading = model;
    try {
      await model.started;
      const what = `Trying ${version.manifest.version} on its golden clips`;
      await withTimeout(what, limitMs, assertParity(version, model));
      if (this.#closed) throw new AppError('draining', 'The service is shutting down.');
    } catch (error) {
      // A thread that hangs cannot even be ended: nobody waits for it.
      void model.drop().catch(() => undefined);
      throw error;
    } finally {
      this.#loading = undefined;
    }
    const old = this.#current;
    this.#current = model;
    if (old !== undefined) this.#retire(old);
    const { weights, classes } = model.manifest;
    const engine = model.inference?.engine ?? '';
    const names = { version: model.manifest.version, architecture: architectureOf(model.manifest) };
    const labels = { ...names, sha256: weights.sha256, engine };
    drift.expect(model.manifest, report?.reference);
    metrics.showModel(labels, classes);
    logger.info(labels, 'the model is loaded and warmed up');
  }

  #retire(model: LoadedModel): void {
    this.#retiring.add(model);
    void model.retire().finally(() => this.#retiring.delete(model));
  }

  #fail(problem: FollowProblem): void {
    const { logger, metrics, clock } = this.#options;
    if (this.#closed) return;
    const delayMs = this.#backoff.failed();
    this.#retryAtMs = clock.now() + delayMs;
    this.#problem = problem;
    metrics.modelReloads.inc({ result: 'failed' });
    const serving = this.#current?.manifest.version;
    logger.error({ ...problem, serving, retryMs: delayMs }, 'what was promoted cannot be served');
  }
}

/** @throws AppError invalid-checkpoint when it computes something else than its trainer did */
async function assertParity({ folder }: Version, model: LoadedModel): Promise<void> {
  const golden = await readGolden(folder);
  if (golden === undefined) return;
  const { largestDifference } = await measureParity(model, golden);
  if (largestDifference <= gateLimits.parityTolerance) return;
  throw new AppError(
    'invalid-checkpoint',
    `On the golden clips it differs from its trainer by ${largestDifference.toPrecision(3)}; ${gateLimits.parityTolerance} is allowed.`,
  );
}

import { resample } from '../../../shared/signal/resample';
import type { ShadowSettings } from '../../../shared/contracts/lifecycle';
import { windowSamples } from '../../../shared/contracts/front-end';
import type { Manifest } from '../../../shared/contracts/manifest';
import type { ShadowFigures } from '../../../shared/contracts/service-status';
import { windowFormat } from '../../../shared/contracts/members';
import { AppError } from '../../../shared/errors/app-error';
import { isShortage } from '../../../shared/errors/machine-fault';
import type { Logger } from '../../../shared/observability/logger';
import type { Metrics } from '../../../shared/observability/metrics';
import type { Registry, Version } from '../../../shared/registry/registry';
import { judge, type ObservedWindow } from './judge-windows';
import type { LoadedModel } from './loaded-model';

export interface ShadowOptions {
  readonly registry: Registry;
  readonly load: (version: Version) => LoadedModel;
  /** Whether those who wait for an answer wait already. */
  readonly isBusy: () => boolean;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** Windows of one recording that it judges at most. */
const maxWindows = 16;

/**
 * A version that judges a share of what is served, beside the one that answers. Nobody waits for it, and
 * its answers go nowhere.
 */
export class Shadow {
  readonly #options: ShadowOptions;
  #settings: ShadowSettings | undefined;
  #model: LoadedModel | undefined;
  #problem: string | undefined;
  #busy = false;
  /** Grows by the share with every recording or window; at 1 one is judged. */
  #credit = 0;
  #counts = { agreed: 0, disagreed: 0, dropped: 0, difference: 0 };

  constructor(options: ShadowOptions) {
    this.#options = options;
  }

  get figures(): ShadowFigures | undefined {
    if (this.#settings === undefined) return undefined;
    const { difference, ...counts } = this.#counts;
    const judged = counts.agreed + counts.disagreed;
    return {
      ...this.#settings,
      ...counts,
      meanConfidenceDifference: judged === 0 ? null : difference / judged,
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
    };
  }

  /**
   * Loads the version that it shall be; one that does not load is named and left out.
   * @throws a shortage of the machine's: it is to be tried again
   */
  async follow(settings: ShadowSettings | undefined): Promise<void> {
    const same = settings?.version === this.#settings?.version;
    this.#settings = settings;
    if (same && (this.#problem === undefined || settings === undefined)) return;
    const { registry, load, logger } = this.#options;
    void this.#model?.close();
    this.#model = undefined;
    this.#problem = undefined;
    if (!same) this.#counts = { agreed: 0, disagreed: 0, dropped: 0, difference: 0 };
    if (settings === undefined) return;
    try {
      const model = load(await registry.read(settings.version));
      await model.started.catch(async (error: unknown) => {
        await model.drop();
        throw error;
      });
      this.#model = model;
      logger.info({ ...settings }, 'the shadow is loaded');
    } catch (error) {
      this.#problem = AppError.from(error).message;
      logger.error({ ...settings, problem: this.#problem }, 'the shadow cannot be loaded');
      if (isShortage(error)) throw error;
    }
  }

  readonly look = (manifest: Manifest, windows: readonly ObservedWindow[]): void => {
    const model = this.#model;
    if (model === undefined || manifest.version === model.manifest.version) return;
    this.#credit += this.#settings?.share ?? 0;
    if (this.#credit < 1) return;
    this.#credit -= 1;
    const taken = this.#busy || this.#options.isBusy() ? [] : windows.slice(0, maxWindows);
    this.#count('dropped', windows.length - taken.length);
    if (taken.length === 0) return;
    this.#busy = true;
    const copies = taken.map((window) => ({ ...window, samples: window.samples.slice() }));
    void this.#judge(model, manifest, copies)
      .catch(() => {
        // Its thread died, and is started again: what was on it is left out.
        this.#count('dropped', taken.length);
      })
      .finally(() => {
        this.#busy = false;
      });
  };

  async close(): Promise<void> {
    const model = this.#model;
    this.#model = undefined;
    await model?.drop();
  }

  async #judge(model: LoadedModel, live: Manifest, windows: readonly ObservedWindow[]): Promise<void> {
    const { inference } = model;
    if (inference === undefined) throw new AppError('engine-unavailable', 'The shadow is being restarted.');
    for (const window of windows) {
      // One at a time, so that it steps aside between two.
      const { probabilities, evidence } = await inference.infer([
        fitted(window.samples, live, model.manifest),
      ]);
      if (this.#model !== model) return;
      const scores = { probabilities: probabilities[0]!, evidence: evidence?.[0] };
      const { verdict } = judge(model.manifest, window.level, scores, { topK: 1 });
      const { label, confidence } = verdict;
      const difference = confidence - window.confidence;
      this.#counts.difference += difference;
      this.#options.metrics.shadowConfidenceDifference.observe(difference);
      this.#count(label === window.label ? 'agreed' : 'disagreed', 1);
    }
  }

  #count(outcome: 'agreed' | 'disagreed' | 'dropped', windows: number): void {
    this.#counts[outcome] += windows;
    this.#options.metrics.shadowWindows.inc({ outcome }, windows);
  }
}

/** A window as another model hears it: at its rate, and no longer than it hears at once. */
function fitted(samples: Float32Array, from: Manifest, to: Manifest): Float32Array {
  const format = windowFormat(to);
  const heard = resample(samples, windowFormat(from).sampleRate, format.sampleRate);
  return heard.subarray(0, windowSamples(format));
}

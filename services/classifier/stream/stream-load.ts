import type { Clock } from '../../../shared/runtime/clock';
import { RecentRate } from '../../../shared/batching/recent-rate';

/** What a stream really asks of the service, by the sound of the last ten seconds or so. */
export class StreamLoad {
  readonly #hopSeconds: number;
  /** Seconds of sound. */
  readonly #heard: RecentRate;
  readonly #windows: RecentRate;
  readonly #loud: RecentRate;

  constructor(hopSeconds: number, clock: Clock) {
    this.#hopSeconds = hopSeconds;
    this.#heard = new RecentRate(clock);
    this.#windows = new RecentRate(clock);
    this.#loud = new RecentRate(clock);
  }

  hear(seconds: number): void {
    this.#heard.add(seconds);
  }

  /** @param loud how many of the windows the engine is asked for */
  judge(windows: number, loud: number): void {
    this.#windows.add(windows);
    this.#loud.add(loud);
  }

  /** Seconds of sound in a second, at most 1: what comes faster than real time gets what is left over. */
  get use(): number {
    return Math.min(1, this.#heard.perSecond);
  }

  /** Windows a second that the engine is asked for. */
  get windowsPerSecond(): number {
    const windows = this.#windows.perSecond;
    const loudShare = windows > 0 ? this.#loud.perSecond / windows : 1;
    return (this.use * loudShare) / this.#hopSeconds;
  }
}

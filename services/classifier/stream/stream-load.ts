import type { Clock } from '../../../shared/runtime/clock';
import { RecentRate } from '../../../shared/batching/recent-rate';

/** Measures the load that a stream causes, over about the last ten seconds. */
export class StreamLoad {
  readonly #hopSeconds: number;
  /** Seconds of sound received. */
  readonly #received: RecentRate;
  readonly #windows: RecentRate;
  readonly #loud: RecentRate;

  constructor(hopSeconds: number, clock: Clock) {
    this.#hopSeconds = hopSeconds;
    this.#received = new RecentRate(clock);
    this.#windows = new RecentRate(clock);
    this.#loud = new RecentRate(clock);
  }

  addSound(seconds: number): void {
    this.#received.add(seconds);
  }

  /** @param loud how many of the windows are not silent, and so go to the engine */
  addWindows(windows: number, loud: number): void {
    this.#windows.add(windows);
    this.#loud.add(loud);
  }

  /**
   * Seconds of sound received a second; at most 1, as senders faster than real time have no claim to
   * more.
   */
  get use(): number {
    return Math.min(1, this.#received.perSecond);
  }

  /** Windows a second that go to the engine. */
  get windowsPerSecond(): number {
    const windows = this.#windows.perSecond;
    const loudShare = windows > 0 ? this.#loud.perSecond / windows : 1;
    return (this.use * loudShare) / this.#hopSeconds;
  }
}

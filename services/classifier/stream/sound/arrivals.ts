interface Arrival {
  readonly untilSample: number;
  readonly arrivedMs: number;
}

/** When which part of a signal came in. */
export class Arrivals {
  #arrivals: Arrival[] = [];

  /** Everything up to `untilSample` is here since `arrivedMs`. */
  note(untilSample: number, arrivedMs: number): void {
    const last = this.#arrivals.at(-1);
    if (last !== undefined && untilSample <= last.untilSample) return;
    this.#arrivals.push({ untilSample, arrivedMs });
  }

  /** When the sample before `endSample` came; what came before it is forgotten. */
  take(endSample: number): number | undefined {
    while ((this.#arrivals[0]?.untilSample ?? Infinity) < endSample) this.#arrivals.shift();
    return this.#arrivals[0]?.arrivedMs;
  }

  /** The signal is counted at another rate from now on, `factor` times this one. */
  rescale(factor: number): void {
    this.#arrivals = this.#arrivals.map(({ untilSample, arrivedMs }) => ({
      untilSample: Math.ceil(untilSample * factor),
      arrivedMs,
    }));
  }
}

interface Arrival {
  readonly untilSample: number;
  readonly arrivedMs: number;
}

/** Records when each part of a signal arrived. */
export class Arrivals {
  #arrivals: Arrival[] = [];

  /** Records that the signal up to `untilSample` had arrived at `arrivedMs`. */
  add(untilSample: number, arrivedMs: number): void {
    const last = this.#arrivals.at(-1);
    if (last !== undefined && untilSample <= last.untilSample) return;
    this.#arrivals.push({ untilSample, arrivedMs });
  }

  /** Time at which the sample before `endSample` arrived. Earlier records are removed. */
  take(endSample: number): number | undefined {
    while ((this.#arrivals[0]?.untilSample ?? Infinity) < endSample) this.#arrivals.shift();
    return this.#arrivals[0]?.arrivedMs;
  }

  /** Converts sample positions to another rate, `factor` times the present one. */
  rescale(factor: number): void {
    this.#arrivals = this.#arrivals.map(({ untilSample, arrivedMs }) => ({
      untilSample: Math.ceil(untilSample * factor),
      arrivedMs,
    }));
  }
}

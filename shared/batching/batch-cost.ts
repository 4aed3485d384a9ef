/** Share of what is known that each batch leaves in force: some twenty batches are remembered. */
const memory = 0.95;

/**
 * What a batch costs, learnt from those that ran: a fixed part and a part for each item, by a least-squares line through
 * the latest batches. While all had about the same size, the cost is taken to be in proportion to it.
 */
export class BatchCost {
  #weight = 0;
  #items = 0;
  #ms = 0;
  #itemsSquared = 0;
  #itemsTimesMs = 0;

  learn(items: number, ms: number): void {
    this.#weight = memory * this.#weight + 1;
    this.#items = memory * this.#items + items;
    this.#ms = memory * this.#ms + ms;
    this.#itemsSquared = memory * this.#itemsSquared + items * items;
    this.#itemsTimesMs = memory * this.#itemsTimesMs + items * ms;
  }

  /** Milliseconds for a batch of so many items; 0 while nothing is known. */
  predictMs(items: number): number {
    if (this.#weight === 0 || items === 0) return 0;
    const meanItems = this.#items / this.#weight;
    const meanMs = this.#ms / this.#weight;
    const variance = this.#itemsSquared / this.#weight - meanItems ** 2;
    const proportional = meanMs / meanItems;
    if (variance < 0.25) return items * proportional;
    const covariance = this.#itemsTimesMs / this.#weight - meanItems * meanMs;
    // Neither part can be negative, whatever the noise says.
    const msPerItem = Math.min(Math.max(covariance / variance, 0), proportional);
    return meanMs + msPerItem * (items - meanItems);
  }
}

/** Factor by which each batch reduces the weight of the earlier ones; about 20 batches count. */
const decay = 0.95;

/**
 * Predicts how long a batch takes from the batches that have run. A least-squares line through the
 * latest batches gives a fixed part and a part per item. While all batches had about the same size, the
 * cost is assumed to be proportional to the size.
 */
export class BatchCost {
  #weight = 0;
  #items = 0;
  #ms = 0;
  #itemsSquared = 0;
  #itemsTimesMs = 0;

  learn(items: number, ms: number): void {
    this.#weight = decay * this.#weight + 1;
    this.#items = decay * this.#items + items;
    this.#ms = decay * this.#ms + ms;
    this.#itemsSquared = decay * this.#itemsSquared + items * items;
    this.#itemsTimesMs = decay * this.#itemsTimesMs + items * ms;
  }

  /** Predicts the duration of a batch of `items` items, in milliseconds; 0 before the first batch. */
  predictMs(items: number): number {
    if (this.#weight === 0 || items === 0) return 0;
    const meanItems = this.#items / this.#weight;
    const meanMs = this.#ms / this.#weight;
    const variance = this.#itemsSquared / this.#weight - meanItems ** 2;
    const proportional = meanMs / meanItems;
    if (variance < 0.25) return items * proportional;
    const covariance = this.#itemsTimesMs / this.#weight - meanItems * meanMs;
    // Noise in the measurements must not make either part negative.
    const msPerItem = Math.min(Math.max(covariance / variance, 0), proportional);
    return meanMs + msPerItem * (items - meanItems);
  }
}

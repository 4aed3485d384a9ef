/** How many of something each caller has. */
export class CallerCounts {
  readonly #counts = new Map<string, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  of(caller: string): number {
    return this.#counts.get(caller) ?? 0;
  }

  /** The caller that has the most; undefined where nobody has any. */
  get greediest(): string | undefined {
    let most: [string, number] | undefined;
    for (const entry of this.#counts) if (most === undefined || entry[1] > most[1]) most = entry;
    return most?.[0];
  }

  /** @param change may be negative; a caller cannot have less than nothing */
  add(caller: string, change: number): void {
    const count = this.of(caller) + change;
    this.#total += change;
    if (count > 0) this.#counts.set(caller, count);
    else this.#counts.delete(caller);
  }

  /** How many are served before one more of this caller's, where callers take turns. */
  ahead(caller: string): number {
    const own = this.of(caller);
    let ahead = own;
    for (const [other, count] of this.#counts) if (other !== caller) ahead += Math.min(count, own + 1);
    return ahead;
  }
}

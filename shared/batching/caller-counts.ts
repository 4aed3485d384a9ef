/** Counts something for each caller. */
export class CallerCounts {
  readonly #counts = new Map<string, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  of(caller: string): number {
    return this.#counts.get(caller) ?? 0;
  }

  /** The caller with the highest count; undefined when all counts are 0. */
  get callerWithMost(): string | undefined {
    let largest: [string, number] | undefined;
    for (const entry of this.#counts) if (largest === undefined || entry[1] > largest[1]) largest = entry;
    return largest?.[0];
  }

  /** Returns the item whose caller has the lowest count; among equal ones, the first. */
  withFewest<T extends { readonly caller: string }>(items: Iterable<T>): T | undefined {
    let first: T | undefined;
    for (const item of items) {
      if (first === undefined || this.of(item.caller) < this.of(first.caller)) first = item;
    }
    return first;
  }

  /** @param change may be negative; the count of a caller does not go below 0 */
  add(caller: string, change: number): void {
    const count = this.of(caller) + change;
    this.#total += change;
    if (count > 0) this.#counts.set(caller, count);
    else this.#counts.delete(caller);
  }

  /** Returns how many items are served before the next one of this caller, in round-robin order. */
  ahead(caller: string): number {
    const own = this.of(caller);
    let ahead = own;
    for (const [other, count] of this.#counts) if (other !== caller) ahead += Math.min(count, own + 1);
    return ahead;
  }
}

/** What waits to be decoded, as far as its turn depends on it. */
export interface Waiting {
  readonly caller: string;
  /** Nobody waits for the answer. */
  readonly isBackground: boolean;
}

/**
 * Recordings that wait for a decoder. Callers take turns: next is the oldest recording of the caller of whom the fewest are being
 * decoded, of several the one who was longest not served, so that no caller has more than half of the decoders while others wait.
 * What nobody waits for comes when no caller does.
 */
export class DecodingQueue<Item extends Waiting> {
  readonly #items: Item[] = [];
  /** Callers that wait, by the number of the turn in which each was served last. */
  readonly #served = new Map<string, number>();
  #turns = 0;

  get size(): number {
    return this.#items.length;
  }

  add(item: Item): void {
    this.#items.push(item);
  }

  /** @returns whether it waited */
  remove(item: Item): boolean {
    const index = this.#items.indexOf(item);
    if (index < 0) return false;
    this.#items.splice(index, 1);
    return true;
  }

  removeAll(): Item[] {
    return this.#items.splice(0);
  }

  /** Takes out whose turn it is. @param running what is being decoded now */
  next(running: readonly Waiting[]): Item | undefined {
    const callers = new Map<string, Item>();
    for (const item of this.#items) {
      if (!item.isBackground && !callers.has(item.caller)) callers.set(item.caller, item);
    }
    const first = [...callers.values()].sort((a, b) => this.#compare(a, b, running))[0] ?? this.#items[0];
    if (first === undefined) return undefined;
    this.remove(first);
    this.#served.set(first.caller, ++this.#turns);
    // Of callers that are gone nothing is kept.
    for (const caller of this.#served.keys()) {
      if (caller !== first.caller && !callers.has(caller)) this.#served.delete(caller);
    }
    return first;
  }

  #compare(a: Item, b: Item, running: readonly Waiting[]): number {
    const of = ({ caller }: Item): number => running.filter((other) => other.caller === caller).length;
    const last = ({ caller }: Item): number => this.#served.get(caller) ?? 0;
    return of(a) - of(b) || last(a) - last(b);
  }
}

/** What waits to be decoded, as far as its turn depends on it. */
export interface Waiting {
  readonly caller: string;
  /** Nobody waits for the answer. */
  readonly isBackground: boolean;
  /** When it would be its turn among its caller's own, as `dueMs` says. */
  readonly dueMs: number;
}

const msPerByte = 500 / 1e6;

/**
 * When a recording is due that came at `arrivedMs`: a large one lets small ones pass that come so much later, half a second a megabyte.
 * @param arrivedMs on a clock that never goes back
 */
export function dueMs(arrivedMs: number, lengthBytes: number): number {
  return arrivedMs + lengthBytes * msPerByte;
}

/**
 * Recordings that wait for a decoder. Callers take turns: next is a recording of the caller of whom the fewest are being
 * decoded, of several the one who was longest not served, so that no caller has more than half of the decoders while others wait.
 * Of a caller's recordings the oldest comes first, except that large ones let small ones pass for a while: behind one address many
 * people may be, and who sends a large recording waits longer in any case. What nobody waits for comes when no caller does.
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

  /** Whether something waits that is due before this one. */
  hasBefore({ dueMs: otherMs }: Waiting): boolean {
    return this.#items.some((item) => item.dueMs < otherMs);
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
      const isBefore = item.dueMs < (callers.get(item.caller)?.dueMs ?? Infinity);
      if (!item.isBackground && isBefore) callers.set(item.caller, item);
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

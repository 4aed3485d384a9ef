/** The properties of a waiting recording that determine its order. */
export interface QueueEntry {
  readonly caller: string;
  /** Whether no caller waits for the result. */
  readonly isBackground: boolean;
  /** Determines the order among the recordings of one caller; see `dueMs`. */
  readonly dueMs: number;
}

const msPerByte = 500 / 1e6;

/**
 * Returns when a recording is due. A large one yields to smaller ones that arrive up to half a second
 * per megabyte later.
 * @param arrivedMs on a monotonic clock
 */
export function dueMs(arrivedMs: number, lengthBytes: number): number {
  return arrivedMs + lengthBytes * msPerByte;
}

/**
 * Recordings that wait for a decoder. The next one belongs to the caller with the fewest recordings
 * being decoded; among equal ones, to the caller that was served least recently. No caller therefore has
 * more than half of the decoders while others wait. Among the recordings of one caller the oldest is
 * first, except that large ones yield to small ones for a while: many people may share one address, and
 * the sender of a large recording waits longer anyway. Background recordings come when no others wait.
 */
export class DecodingQueue<Item extends QueueEntry> {
  readonly #items: Item[] = [];
  /** For each caller that waits, the number of the turn in which it was served last. */
  readonly #served = new Map<string, number>();
  #turnCount = 0;

  get size(): number {
    return this.#items.length;
  }

  add(item: Item): void {
    this.#items.push(item);
  }

  /** Tells whether a recording waits that is due before this one. */
  hasBefore({ dueMs: otherMs }: QueueEntry): boolean {
    return this.#items.some((item) => item.dueMs < otherMs);
  }

  /** @returns whether it was waiting */
  remove(item: Item): boolean {
    const index = this.#items.indexOf(item);
    if (index < 0) return false;
    this.#items.splice(index, 1);
    return true;
  }

  removeAll(): Item[] {
    return this.#items.splice(0);
  }

  /**
   * Removes and returns the next recording.
   * @param running the recordings that are being decoded now
   */
  next(running: readonly QueueEntry[]): Item | undefined {
    const callers = new Map<string, Item>();
    for (const item of this.#items) {
      const isBefore = item.dueMs < (callers.get(item.caller)?.dueMs ?? Infinity);
      if (!item.isBackground && isBefore) callers.set(item.caller, item);
    }
    const first = [...callers.values()].sort((a, b) => this.#compare(a, b, running))[0] ?? this.#items[0];
    if (first === undefined) return undefined;
    this.remove(first);
    this.#served.set(first.caller, ++this.#turnCount);
    // Forgets callers that have nothing waiting.
    for (const caller of this.#served.keys()) {
      if (caller !== first.caller && !callers.has(caller)) this.#served.delete(caller);
    }
    return first;
  }

  #compare(a: Item, b: Item, running: readonly QueueEntry[]): number {
    const of = ({ caller }: Item): number => running.filter((other) => other.caller === caller).length;
    const last = ({ caller }: Item): number => this.#served.get(caller) ?? 0;
    return of(a) - of(b) || last(a) - last(b);
  }
}

import { deferred } from './deferred';

/** Items of one caller: some wait, some are on the engine, some are answered. */
export class Group<Item, Outcome> {
  readonly addedMs: number;
  readonly promise: Promise<Outcome[]>;
  readonly reject: (reason: unknown) => void;
  readonly #items: readonly Item[];
  readonly #outcomes: Outcome[];
  readonly #resolve: (outcomes: Outcome[]) => void;
  #taken = 0;
  #settled = 0;

  constructor(items: readonly Item[], addedMs: number) {
    this.addedMs = addedMs;
    this.#items = items;
    this.#outcomes = new Array<Outcome>(items.length);
    const { promise, resolve, reject } = deferred<Outcome[]>();
    this.promise = promise;
    this.#resolve = resolve;
    this.reject = reject;
  }

  get waiting(): number {
    return this.#items.length - this.#taken;
  }

  takeNext(): { index: number; item: Item } {
    const index = this.#taken++;
    return { index, item: this.#items[index]! };
  }

  settle(index: number, outcome: Outcome): void {
    this.#outcomes[index] = outcome;
    if (++this.#settled === this.#items.length) this.#resolve(this.#outcomes);
  }
}

/**
 * Groups take turns, one item a turn, and the turn is kept from one batch to the next: of G waiting groups each
 * gets an item into every ⌈G / batch⌉ batches, however many items the others brought.
 */
export class FairQueue<Item, Outcome> {
  readonly #ring: Group<Item, Outcome>[] = [];
  #length = 0;

  /** Items waiting, of all groups. */
  get length(): number {
    return this.#length;
  }

  add(items: readonly Item[], nowMs: number): Group<Item, Outcome> {
    const group = new Group<Item, Outcome>(items, nowMs);
    this.#ring.push(group);
    this.#length += items.length;
    return group;
  }

  /** Up to `count` items, group by group in turn. */
  take(count: number): { group: Group<Item, Outcome>; index: number; item: Item }[] {
    const taken = [];
    while (taken.length < count && this.#length > 0) {
      const group = this.#ring.shift()!;
      taken.push({ group, ...group.takeNext() });
      this.#length--;
      if (group.waiting > 0) this.#ring.push(group);
    }
    return taken;
  }

  /** Drops what still waits of a group. */
  remove(group: Group<Item, Outcome>): void {
    const position = this.#ring.indexOf(group);
    if (position < 0) return;
    this.#ring.splice(position, 1);
    this.#length -= group.waiting;
  }

  /** When the longest-waiting group came; Infinity when none waits. */
  oldestMs(): number {
    return this.#ring.reduce((oldest, group) => Math.min(oldest, group.addedMs), Infinity);
  }
}

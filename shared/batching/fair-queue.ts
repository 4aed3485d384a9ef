import { CallerCounts } from './caller-counts';
import { deferred } from '../runtime/deferred';

/** Items that were submitted together. Some may be waiting, some running and some answered. */
export class Group<Item, Outcome> {
  readonly caller: string;
  readonly addedMs: number;
  readonly promise: Promise<Outcome[]>;
  readonly reject: (reason: unknown) => void;
  readonly #items: readonly Item[];
  readonly #outcomes: Outcome[];
  readonly #resolve: (outcomes: Outcome[]) => void;
  #taken = 0;
  #settled = 0;

  constructor(items: readonly Item[], addedMs: number, caller: string) {
    this.caller = caller;
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

/** The waiting groups of one caller. */
interface CallerQueue<Item, Outcome> {
  readonly caller: string;
  /**
   * Virtual time: how many items each group would have been served, had the groups of this caller been
   * served round-robin.
   */
  virtualTime: number;
  /** Ordered by the virtual time at which each group would be finished. */
  readonly groups: { readonly group: Group<Item, Outcome>; readonly finishTime: number }[];
}

/**
 * Serves callers round-robin, one item at a time. The order continues from one batch to the next: of C
 * waiting callers, each gets an item into every ⌈C / batch⌉ batches, however many items or groups the
 * others have.
 *
 * The groups of one caller are served one after the other, in the order in which they would finish under
 * round-robin (fair queueing by Demers, Keshav and Shenker). No group finishes later than under
 * round-robin, most finish earlier, and short groups overtake long ones. Of groups with equal finish
 * times, the first to arrive is served first.
 */
export class FairQueue<Item, Outcome> {
  readonly #ring: CallerQueue<Item, Outcome>[] = [];
  readonly #counts = new CallerCounts();

  /** Waiting items, in total and per caller. */
  get counts(): Pick<CallerCounts, 'of' | 'total' | 'ahead'> {
    return this.#counts;
  }

  add(items: readonly Item[], nowMs: number, caller: string): Group<Item, Outcome> {
    const group = new Group<Item, Outcome>(items, nowMs, caller);
    let queue = this.#ring.find((known) => known.caller === caller);
    if (queue === undefined) {
      queue = { caller, virtualTime: 0, groups: [] };
      this.#ring.push(queue);
    }
    const finishTime = queue.virtualTime + items.length;
    const behind = queue.groups.findIndex((other) => other.finishTime > finishTime);
    queue.groups.splice(behind < 0 ? queue.groups.length : behind, 0, { group, finishTime });
    this.#counts.add(caller, items.length);
    return group;
  }

  /** Takes up to `count` items, round-robin over the callers. */
  take(count: number): { group: Group<Item, Outcome>; index: number; item: Item }[] {
    const taken = [];
    while (taken.length < count && this.#ring.length > 0) {
      const queue = this.#ring.shift()!;
      const { group } = queue.groups[0]!;
      taken.push({ group, ...group.takeNext() });
      this.#counts.add(queue.caller, -1);
      queue.virtualTime += 1 / queue.groups.length;
      if (group.waiting === 0) queue.groups.shift();
      if (queue.groups.length > 0) this.#ring.push(queue);
    }
    return taken;
  }

  /** Removes the waiting items of a group. */
  remove(group: Group<Item, Outcome>): void {
    const place = this.#ring.findIndex(({ caller }) => caller === group.caller);
    const queue = this.#ring[place];
    const position = queue?.groups.findIndex((waiting) => waiting.group === group) ?? -1;
    if (queue === undefined || position < 0) return;
    queue.groups.splice(position, 1);
    if (queue.groups.length === 0) this.#ring.splice(place, 1);
    this.#counts.add(group.caller, -group.waiting);
  }

  /**
   * Arrival time of the oldest waiting group, in milliseconds of the clock; Infinity when none waits.
   */
  oldestMs(): number {
    return this.#ring.reduce(
      (oldest, { groups }) => groups.reduce((ms, { group }) => Math.min(ms, group.addedMs), oldest),
      Infinity,
    );
  }
}

import { CallerCounts } from './caller-counts';
import { deferred } from '../runtime/deferred';

/** Items submitted together: some wait, some are on the engine, some are answered. */
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

/** What waits of one caller. */
interface Turn<Item, Outcome> {
  readonly caller: string;
  /** How many items each of its groups would have been served, had they taken turns since the first came. */
  rounds: number;
  /** By the round in which each would be done. */
  readonly groups: { readonly group: Group<Item, Outcome>; readonly doneAt: number }[];
}

/**
 * Callers take turns, one item a turn. The turn is kept from one batch to the next: of C waiting callers each gets an item into
 * every ⌈C / batch⌉ batches, however many items the others brought, and in however many groups.
 *
 * The groups of one caller are served one behind the other, in the order in which they would be done if they took turns too (fair
 * queueing, as Demers, Keshav and Shenker have it for packets): none is done later than it would be so, most are done earlier, a
 * short one overtakes a long one, and of equal ones the first is done first, whatever comes behind it.
 */
export class FairQueue<Item, Outcome> {
  readonly #ring: Turn<Item, Outcome>[] = [];
  readonly #counts = new CallerCounts();

  /** Items waiting, of all callers and of each. */
  get counts(): Pick<CallerCounts, 'of' | 'total' | 'ahead'> {
    return this.#counts;
  }

  add(items: readonly Item[], nowMs: number, caller: string): Group<Item, Outcome> {
    const group = new Group<Item, Outcome>(items, nowMs, caller);
    let turn = this.#ring.find((known) => known.caller === caller);
    if (turn === undefined) {
      turn = { caller, rounds: 0, groups: [] };
      this.#ring.push(turn);
    }
    const doneAt = turn.rounds + items.length;
    const behind = turn.groups.findIndex((other) => other.doneAt > doneAt);
    turn.groups.splice(behind < 0 ? turn.groups.length : behind, 0, { group, doneAt });
    this.#counts.add(caller, items.length);
    return group;
  }

  /** Up to `count` items, caller by caller in turn. */
  take(count: number): { group: Group<Item, Outcome>; index: number; item: Item }[] {
    const taken = [];
    while (taken.length < count && this.#ring.length > 0) {
      const turn = this.#ring.shift()!;
      const { group } = turn.groups[0]!;
      taken.push({ group, ...group.takeNext() });
      this.#counts.add(turn.caller, -1);
      turn.rounds += 1 / turn.groups.length;
      if (group.waiting === 0) turn.groups.shift();
      if (turn.groups.length > 0) this.#ring.push(turn);
    }
    return taken;
  }

  /** Drops what still waits of a group. */
  remove(group: Group<Item, Outcome>): void {
    const place = this.#ring.findIndex(({ caller }) => caller === group.caller);
    const turn = this.#ring[place];
    const position = turn?.groups.findIndex((waiting) => waiting.group === group) ?? -1;
    if (turn === undefined || position < 0) return;
    turn.groups.splice(position, 1);
    if (turn.groups.length === 0) this.#ring.splice(place, 1);
    this.#counts.add(group.caller, -group.waiting);
  }

  /** When the longest-waiting group came; Infinity when none waits. */
  oldestMs(): number {
    return this.#ring.reduce(
      (oldest, { groups }) => groups.reduce((ms, { group }) => Math.min(ms, group.addedMs), oldest),
      Infinity,
    );
  }
}

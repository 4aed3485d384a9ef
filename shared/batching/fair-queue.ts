import { CallerCounts } from './caller-counts';
import { deferred } from './deferred';

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

/**
 * Callers take turns, one item a turn, and so do the groups of one caller at its turns. The turn is kept from one batch to the
 * next: of C waiting callers each gets an item into every ⌈C / batch⌉ batches, however many items the others brought, and in
 * however many groups.
 */
export class FairQueue<Item, Outcome> {
  readonly #ring: { readonly caller: string; readonly groups: Group<Item, Outcome>[] }[] = [];
  readonly #counts = new CallerCounts();

  /** Items waiting, of all callers and of each. */
  get counts(): Pick<CallerCounts, 'of' | 'total' | 'ahead'> {
    return this.#counts;
  }

  add(items: readonly Item[], nowMs: number, caller: string): Group<Item, Outcome> {
    const group = new Group<Item, Outcome>(items, nowMs, caller);
    const known = this.#ring.find((turn) => turn.caller === caller);
    if (known === undefined) this.#ring.push({ caller, groups: [group] });
    else known.groups.push(group);
    this.#counts.add(caller, items.length);
    return group;
  }

  /** Up to `count` items, caller by caller in turn. */
  take(count: number): { group: Group<Item, Outcome>; index: number; item: Item }[] {
    const taken = [];
    while (taken.length < count && this.#ring.length > 0) {
      const turn = this.#ring.shift()!;
      const group = turn.groups.shift()!;
      taken.push({ group, ...group.takeNext() });
      this.#counts.add(turn.caller, -1);
      if (group.waiting > 0) turn.groups.push(group);
      if (turn.groups.length > 0) this.#ring.push(turn);
    }
    return taken;
  }

  /** Drops what still waits of a group. */
  remove(group: Group<Item, Outcome>): void {
    const place = this.#ring.findIndex(({ caller }) => caller === group.caller);
    const turn = this.#ring[place];
    const position = turn?.groups.indexOf(group) ?? -1;
    if (turn === undefined || position < 0) return;
    turn.groups.splice(position, 1);
    if (turn.groups.length === 0) this.#ring.splice(place, 1);
    this.#counts.add(group.caller, -group.waiting);
  }

  /** When the longest-waiting group came; Infinity when none waits. */
  oldestMs(): number {
    return this.#ring.reduce(
      (oldest, { groups }) => groups.reduce((ms, { addedMs }) => Math.min(ms, addedMs), oldest),
      Infinity,
    );
  }
}

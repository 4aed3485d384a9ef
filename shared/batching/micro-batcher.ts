import { AppError, type ErrorCode } from '../errors/app-error';
import { cancellation } from '../errors/cancellation';
import { BatchCost } from './batch-cost';
import type { Clock } from '../runtime/clock';
import { deferred, type Deferred } from '../runtime/deferred';
import type { Group } from './fair-queue';
import { LaneQueue, type Lane } from './lanes';

export interface BatcherOptions<Item, Result> {
  /** Answers a batch: one result per item, in the items' order. Called for one batch at a time. */
  readonly run: (items: readonly Item[]) => Promise<readonly Result[]>;
  /** Throws for an item that must not get into a batch with others'. */
  readonly check?: (item: Item) => void;
  /** Items in one batch at most. */
  readonly maxItems: number;
  /** How long the oldest waiting item may be held back for company. */
  readonly maxDelayMs: number;
  /**
   * Items waiting in each lane at most; a group that does not fit whole is refused. A caller with less than half of them still
   * has its half where others took all: so twice as many wait at most.
   */
  readonly maxQueuedItems: number;
  /** Share of the places in batches that streams may take while uploads wait, from 0 to 1; 0.8 unless given. */
  readonly streamShare?: number;
  readonly clock: Clock;
}

/** One item's answer and the running number of the batch that carried it. */
export interface Outcome<Result> {
  readonly result: Result;
  readonly batch: number;
}

export interface SubmitOptions {
  /** When it aborts, waiting items are dropped and the promise rejects with its reason at once. */
  readonly signal?: AbortSignal;
  /** Who goes first: `upload` unless given. */
  readonly lane?: Lane;
  /** On whose account: callers take turns, and so do the submissions of one. */
  readonly caller?: string;
}

const defaultStreamShare = 0.8;
const nobodyInParticular = '';
/** Errors that no item of a batch can be the reason of. */
const engineErrors: readonly ErrorCode[] = ['engine-unavailable', 'draining', 'cancelled'];

type Taken<Item, Result> = ReturnType<LaneQueue<Item, Outcome<Result>>['take']>;

/**
 * Collects items of many callers into batches for an engine that prefers them so.
 *
 * A batch goes when the engine is free and the batch is full, or its oldest item has waited `maxDelayMs`, or
 * nobody expects more: an idle engine never makes a lone caller wait. Streams go before uploads (see LaneQueue) and callers
 * of a lane take turns (see FairQueue), so a caller with many items neither starves others nor is starved. Full means an
 * immediate `overloaded`. When a batch fails, each of its items is tried alone: one that the engine cannot take fails nobody else's.
 */
export class MicroBatcher<Item, Result> {
  readonly #options: BatcherOptions<Item, Result>;
  readonly #queue: LaneQueue<Item, Outcome<Result>>;
  readonly #cost = new BatchCost();
  #running = 0;
  #batches = 0;
  #expected = 0;
  #cancelTimer: (() => void) | undefined;
  #closing: Deferred<undefined> | undefined;

  constructor(options: BatcherOptions<Item, Result>) {
    const { maxItems, maxDelayMs, maxQueuedItems } = options;
    if (!(maxItems >= 1) || !(maxQueuedItems >= maxItems) || !(maxDelayMs >= 0)) {
      const got = JSON.stringify({ maxItems, maxDelayMs, maxQueuedItems });
      throw new AppError(
        'invalid-configuration',
        `A batcher needs 1 ≤ maxItems ≤ maxQueuedItems and maxDelayMs ≥ 0; got ${got}.`,
      );
    }
    this.#options = options;
    this.#queue = new LaneQueue(options.streamShare ?? defaultStreamShare);
  }

  /** Items waiting for a batch. */
  get queuedItems(): number {
    return this.#queue.length;
  }

  /** Whether nothing more of this caller's fits into the lane of uploads. */
  isFull(caller: string): boolean {
    return !this.#fits(1, 'upload', caller);
  }

  /** How long an upload's item that came now would wait, in milliseconds, by the time the latest batches took. */
  estimatedWaitMs(caller: string): number {
    const { maxItems } = this.#options;
    const items = this.#queue.countsOf('stream').total + this.#queue.countsOf('upload').ahead(caller);
    const full = Math.floor(items / maxItems);
    const predictMs = this.#predictMs;
    return predictMs(this.#running) + full * predictMs(maxItems) + predictMs(items % maxItems);
  }

  /** What an item costs when the engine is kept busy with full batches; 0 while nothing is known. */
  get msPerItem(): number {
    return this.#predictMs(this.#options.maxItems) / this.#options.maxItems;
  }

  readonly #predictMs = (items: number): number => this.#cost.predictMs(items);

  /** Says that a submission is on its way, which a batch may wait for (at most `maxDelayMs`). Call the result once it came or will not. */
  expect(): () => void {
    let pending = true;
    this.#expected++;
    return () => {
      if (!pending) return;
      pending = false;
      this.#expected--;
      this.#pump();
    };
  }

  /**
   * @param items of one caller: accepted together or not at all
   * @returns an outcome per item, in the items' order
   * @throws AppError overloaded (details: retryAfterSeconds), draining; whatever `check` or `run` throws for one of these items
   */
  async submit(
    items: readonly Item[],
    { signal, lane = 'upload', caller = nobodyInParticular }: SubmitOptions = {},
  ): Promise<Outcome<Result>[]> {
    if (this.#closing !== undefined)
      throw new AppError('draining', 'The service is shutting down; try again elsewhere.');
    if (signal?.aborted === true) throw cancellation(signal);
    if (items.length === 0) return [];
    if (!this.#fits(items.length, lane, caller)) throw this.#overloaded(caller);

    const group = this.#queue.add(items, this.#options.clock.now(), lane, caller);
    const abandon = (): void => {
      this.#queue.remove(group);
      group.reject(cancellation(signal!));
      this.#pump();
    };
    signal?.addEventListener('abort', abandon, { once: true });
    this.#pump();
    try {
      return await group.promise;
    } finally {
      signal?.removeEventListener('abort', abandon);
    }
  }

  /** Takes nothing more; resolves when everything accepted is answered. */
  async close(): Promise<void> {
    this.#closing ??= deferred<undefined>();
    this.#pump();
    await this.#closing.promise;
  }

  #fits(count: number, lane: Lane, caller: string): boolean {
    const { maxQueuedItems } = this.#options;
    const counts = this.#queue.countsOf(lane);
    const all = counts.total + count;
    if (all <= maxQueuedItems) return true;
    return counts.of(caller) + count <= maxQueuedItems / 2 && all <= 2 * maxQueuedItems;
  }

  #overloaded(caller: string): AppError {
    const retryAfterSeconds = Math.max(1, Math.ceil(this.estimatedWaitMs(caller) / 1000));
    return new AppError('overloaded', `The queue is full; try again in ${retryAfterSeconds} s.`, {
      details: { retryAfterSeconds },
    });
  }

  #pump(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#running > 0) return;
    if (this.#queue.length === 0) {
      this.#closing?.resolve(undefined);
      return;
    }
    const holdMs = this.#holdMs();
    if (holdMs > 0) {
      this.#cancelTimer = this.#options.clock.setTimer(() => {
        this.#pump();
      }, holdMs);
      return;
    }
    void this.#dispatch();
  }

  /** How much longer the next batch may wait for company. */
  #holdMs(): number {
    const { maxItems, maxDelayMs, clock } = this.#options;
    const nobodyComes = this.#expected === 0 || this.#closing !== undefined;
    if (nobodyComes || this.#queue.length >= maxItems) return 0;
    return maxDelayMs - (clock.now() - this.#queue.oldestMs());
  }

  async #dispatch(): Promise<void> {
    const taken = this.#checked(this.#queue.take(this.#options.maxItems));
    this.#running = taken.length;
    try {
      if (taken.length > 0) await this.#run(taken);
    } catch (error) {
      const isEngines = engineErrors.includes(AppError.from(error).code);
      if (isEngines || taken.length === 1) this.#fail(new Set(taken.map(({ group }) => group)), error);
      else await this.#runEachAlone(taken);
    } finally {
      this.#running = 0;
      this.#pump();
    }
  }

  /** Leaves out what must not get into a batch, and with it what else its group has in this one. */
  #checked(taken: Taken<Item, Result>): Taken<Item, Result> {
    const { check } = this.#options;
    if (check === undefined) return taken;
    const failed = new Set<Group<Item, Outcome<Result>>>();
    for (const { group, item } of taken) {
      try {
        if (!failed.has(group)) check(item);
      } catch (error) {
        failed.add(group);
        this.#fail([group], error);
      }
    }
    return taken.filter(({ group }) => !failed.has(group));
  }

  async #run(taken: Taken<Item, Result>): Promise<void> {
    const { clock } = this.#options;
    const batch = ++this.#batches;
    const startedMs = clock.now();
    const results = await this.#options.run(taken.map(({ item }) => item));
    if (results.length !== taken.length) throw wrongCount(taken.length, results.length);
    taken.forEach(({ group, index }, position) => {
      group.settle(index, { result: results[position]!, batch });
    });
    this.#cost.learn(taken.length, clock.now() - startedMs);
  }

  /** Finds out which item a batch failed for. */
  async #runEachAlone(taken: Taken<Item, Result>): Promise<void> {
    const failed = new Set<Group<Item, Outcome<Result>>>();
    for (const member of taken) {
      if (failed.has(member.group)) continue;
      try {
        await this.#run([member]);
      } catch (error) {
        failed.add(member.group);
        this.#fail([member.group], error);
      }
    }
  }

  #fail(groups: Iterable<Group<Item, Outcome<Result>>>, error: unknown): void {
    for (const group of groups) {
      this.#queue.remove(group);
      group.reject(error);
    }
  }
}

function wrongCount(expected: number, got: number): AppError {
  return new AppError('internal', `The engine answered ${got} results to a batch of ${expected}.`);
}

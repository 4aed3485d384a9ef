import { AppError, type ErrorCode } from '../errors/app-error';
import { cancellation } from '../errors/cancellation';
import { BatchCost } from './batch-cost';
import { checkedLimits, type BatchLimits, type QueueLimits } from './batch-limits';
import type { Clock } from '../runtime/clock';
import { deferred, type Deferred } from '../runtime/deferred';
import type { Group } from './fair-queue';
import { LaneQueue, type Lane } from './lanes';

export interface BatcherOptions<Item, Result> extends BatchLimits, QueueLimits {
  /**
   * Computes a batch and returns one result per item, in the order of the items. Called for at most
   * `inFlight` batches at a time.
   */
  readonly run: (items: readonly Item[]) => Promise<readonly Result[]>;
  /** Throws for an item that must not share a batch with others. */
  readonly check?: (item: Item) => void;
  /** Share of the batch places for streams while uploads wait, from 0 to 1; 0.8 by default. */
  readonly streamShare?: number;
  readonly clock: Clock;
}

/** The result for one item, and the sequence number of its batch. */
export interface Outcome<Result> {
  readonly result: Result;
  readonly batch: number;
}

export interface SubmitOptions {
  /**
   * When it aborts, the waiting items are removed and the promise rejects with the signal's reason at
   * once.
   */
  readonly signal?: AbortSignal;
  /** The priority class; `upload` by default. */
  readonly lane?: Lane;
  /** Callers are served round-robin, and so are the submissions of one caller. */
  readonly caller?: string;
}

const defaultStreamShare = 0.8;
const anonymousCaller = '';
/** Errors for which no single item of a batch can be the cause. */
const engineErrors: readonly ErrorCode[] = ['engine-unavailable', 'draining', 'cancelled'];

type Taken<Item, Result> = ReturnType<LaneQueue<Item, Outcome<Result>>['take']>;

/**
 * Collects items of many callers into batches for an engine that is more efficient with batches.
 *
 * A batch starts when the engine is free and one of these holds: the batch is full, its oldest item has
 * waited `maxDelayMs`, or no further submission is expected. A single caller of an idle engine therefore
 * never waits. Where several batches may run, one that runs keeps the engine busy, so that the next one
 * waits until it is full or its oldest item has waited `maxDelayMs`. Streams have priority over uploads
 * (LaneQueue), and the callers of a lane are served round-robin (FairQueue), so that no caller starves. A
 * full queue means an immediate `overloaded`. When a batch fails, each of its items is tried alone, so
 * that an invalid item fails only its own group.
 */
export class MicroBatcher<Item, Result> {
  readonly #options: BatcherOptions<Item, Result>;
  #maxItems: number;
  #inFlight: number;
  readonly #queue: LaneQueue<Item, Outcome<Result>>;
  readonly #cost = new BatchCost();
  #runningItems = 0;
  #runningBatches = 0;
  /** When the latest batch was finished, in milliseconds of the clock. */
  #finishedMs = -Infinity;
  #batches = 0;
  #expected = 0;
  #cancelTimer: (() => void) | undefined;
  #closing: Deferred<undefined> | undefined;

  constructor(options: BatcherOptions<Item, Result>) {
    this.#options = options;
    const { maxItems, inFlight } = checkedLimits(options);
    this.#maxItems = maxItems;
    this.#inFlight = inFlight;
    this.#queue = new LaneQueue(options.streamShare ?? defaultStreamShare);
  }

  /** Changes the limits for the batches that begin from now on. @throws AppError as the constructor */
  setLimits(limits: BatchLimits): void {
    const { maxItems, inFlight } = checkedLimits({ ...this.#options, ...limits });
    this.#maxItems = maxItems;
    this.#inFlight = inFlight;
    this.#pump();
  }

  /** Number of items that wait for a batch. */
  get queuedItems(): number {
    return this.#queue.length;
  }

  /** Tells whether no further item of this caller fits into the upload lane. */
  isFull(caller: string): boolean {
    return !this.#fits(1, 'upload', caller);
  }

  /**
   * Estimates how long a new item in the upload lane would wait, in milliseconds, from the durations of
   * recent batches.
   */
  estimatedWaitMs(caller: string): number {
    const maxItems = this.#maxItems;
    const items = this.#queue.countsOf('stream').total + this.#queue.countsOf('upload').ahead(caller);
    const full = Math.floor(items / maxItems);
    const predictMs = this.#predictMs;
    return predictMs(this.#runningItems) + full * predictMs(maxItems) + predictMs(items % maxItems);
  }

  /** Duration per item in full batches, in milliseconds; 0 before the first batch. */
  get msPerItem(): number {
    return this.#predictMs(this.#maxItems) / this.#maxItems;
  }

  readonly #predictMs = (items: number): number => this.#cost.predictMs(items);

  /**
   * Announces a submission, for which the next batch waits up to `maxDelayMs`.
   * @returns a function to call when the submission has arrived or will not come
   */
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
   * Queues items and waits for their results.
   * @param items of one caller; all are accepted or none
   * @returns an outcome per item, in the order of the items
   * @throws AppError overloaded (details: retryAfterSeconds), draining; whatever `check` or `run` throws
   * for one of these items
   */
  async submit(
    items: readonly Item[],
    { signal, lane = 'upload', caller = anonymousCaller }: SubmitOptions = {},
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

  /** Refuses further items; resolves when all accepted items are answered. */
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
    if (this.#queue.length === 0) {
      if (this.#runningBatches === 0) this.#closing?.resolve(undefined);
      return;
    }
    if (this.#runningBatches >= this.#inFlight) return;
    const holdMs = this.#holdMs();
    if (holdMs > 0) {
      this.#cancelTimer = this.#options.clock.setTimer(() => {
        this.#pump();
      }, holdMs);
      return;
    }
    void this.#dispatch();
    // Another one may run beside it.
    if (this.#runningBatches < this.#inFlight) this.#pump();
  }

  /** How much longer the next batch waits to be filled, in milliseconds; 0 or less: it starts now. */
  #holdMs(): number {
    const { maxDelayMs, clock } = this.#options;
    const expectsNoMore = this.#expected === 0 || this.#closing !== undefined;
    const isEngineIdle = this.#runningBatches === 0;
    if ((expectsNoMore && isEngineIdle) || this.#queue.length >= this.#maxItems) return 0;
    return maxDelayMs - (clock.now() - this.#queue.oldestMs());
  }

  async #dispatch(): Promise<void> {
    const taken = this.#checked(this.#queue.take(this.#maxItems));
    this.#runningItems += taken.length;
    this.#runningBatches += 1;
    try {
      if (taken.length > 0) await this.#run(taken);
    } catch (error) {
      const isEngineFault = engineErrors.includes(AppError.from(error).code);
      if (isEngineFault || taken.length === 1) this.#fail(new Set(taken.map(({ group }) => group)), error);
      else await this.#runEachAlone(taken);
    } finally {
      this.#runningItems -= taken.length;
      this.#runningBatches -= 1;
      this.#pump();
    }
  }

  /** Removes items that fail the check, together with the other items of their groups in this batch. */
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
    // A batch that ran beside another one cost what it took after that one was finished.
    const finishedMs = clock.now();
    this.#cost.learn(taken.length, finishedMs - Math.max(startedMs, this.#finishedMs));
    this.#finishedMs = finishedMs;
  }

  /** Runs each item of a failed batch alone, to find the one that fails. */
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

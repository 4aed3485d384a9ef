import { FairQueue, type Group } from './fair-queue';

/** Streams have priority because listeners notice every delay. */
const lanes = ['stream', 'upload'] as const;
export type Lane = (typeof lanes)[number];

/**
 * Two queues for one engine. Streams are served first, up to their share of a batch. While both lanes
 * wait, uploads are entitled to the rest. The entitlement is summed over batches, so neither lane can
 * starve.
 */
export class LaneQueue<Item, Outcome> {
  readonly #streamShare: number;
  readonly #queues = {
    stream: new FairQueue<Item, Outcome>(),
    upload: new FairQueue<Item, Outcome>(),
  } satisfies Record<Lane, unknown>;
  /** Batch places that uploads are entitled to and have not received yet; may be fractional. */
  #owed = 0;

  /** @param streamShare share of the places for streams, from 0 to 1 */
  constructor(streamShare: number) {
    this.#streamShare = streamShare;
  }

  get length(): number {
    return this.#queues.stream.counts.total + this.#queues.upload.counts.total;
  }

  /** Waiting items of a lane, in total and per caller. */
  countsOf(lane: Lane): FairQueue<Item, Outcome>['counts'] {
    return this.#queues[lane].counts;
  }

  add(items: readonly Item[], nowMs: number, lane: Lane, caller: string): Group<Item, Outcome> {
    return this.#queues[lane].add(items, nowMs, caller);
  }

  take(count: number): ReturnType<FairQueue<Item, Outcome>['take']> {
    const { stream, upload } = this.#queues;
    const uploads = upload.counts.total;
    if (stream.counts.total === 0 || uploads === 0) this.#owed = 0;
    else this.#owed += Math.min(count, this.length) * (1 - this.#streamShare);
    const reserved = Math.min(Math.floor(this.#owed), uploads, count);
    this.#owed -= reserved;
    const first = stream.take(count - reserved);
    return [...first, ...upload.take(count - first.length)];
  }

  remove(group: Group<Item, Outcome>): void {
    for (const lane of lanes) this.#queues[lane].remove(group);
  }

  oldestMs(): number {
    return Math.min(...lanes.map((lane) => this.#queues[lane].oldestMs()));
  }
}

import type { Place, Segment } from './segment';

/** An event that waits. */
export interface Waiting {
  readonly place: Place;
  /** Events of one source leave in their order. */
  readonly source: string;
  /**
   * When it was noticed, on the monotonic clock; earlier than its zero for an event of another process.
   */
  readonly noticedMs: number;
}

interface Lane {
  waiting: Waiting[];
  /** Whether an attempt to deliver the first event is under way. */
  isBusy: boolean;
  /** Failed attempts at the first event. */
  failures: number;
  /** When the first event may be tried again. */
  dueMs: number;
}

/**
 * The events that wait for a destination, in a lane for each source. At most one event of a lane is on
 * its way, so that order holds; lanes take turns, so that an event that a receiver cannot take holds up
 * its own source alone.
 */
export class Lanes {
  /** The lane that was served last is the last. */
  readonly #lanes = new Map<string, Lane>();
  #size = 0;

  /** Number of events that wait or are on their way. */
  get size(): number {
    return this.#size;
  }

  /** When the event that has waited longest was noticed; undefined when none waits. */
  get oldestMs(): number | undefined {
    let oldest: number | undefined;
    for (const { waiting } of this.#lanes.values()) {
      oldest = Math.min(oldest ?? Infinity, waiting[0]!.noticedMs);
    }
    return oldest;
  }

  add(entry: Waiting): void {
    const lane = this.#lanes.get(entry.source);
    if (lane === undefined) {
      this.#lanes.set(entry.source, { waiting: [entry], isBusy: false, failures: 0, dueMs: -Infinity });
    } else {
      lane.waiting.push(entry);
    }
    this.#size++;
  }

  /** Puts events before all others; nothing may be on its way yet. */
  addBefore(older: readonly Waiting[]): void {
    const newer = [...this.#lanes.values()].flatMap(({ waiting }) => waiting);
    this.#lanes.clear();
    this.#size = 0;
    for (const entry of [...older, ...newer]) this.add(entry);
  }

  /** Takes an event whose turn it is; `left` or `failed` is to be called with it. */
  next(nowMs: number): Waiting | undefined {
    for (const lane of this.#lanes.values()) {
      if (lane.isBusy || lane.dueMs > nowMs) continue;
      lane.isBusy = true;
      return lane.waiting[0];
    }
    return undefined;
  }

  /** When a lane whose last attempt failed is due; undefined when none waits for that. */
  nextDueMs(): number | undefined {
    let next: number | undefined;
    for (const { isBusy, dueMs } of this.#lanes.values()) {
      if (!isBusy) next = Math.min(next ?? Infinity, dueMs);
    }
    return next;
  }

  /** The event has left, or is given up. */
  left({ source }: Waiting): void {
    const lane = this.#lanes.get(source)!;
    lane.waiting.shift();
    this.#size--;
    this.#lanes.delete(source);
    if (lane.waiting.length > 0) {
      this.#lanes.set(source, { waiting: lane.waiting, isBusy: false, failures: 0, dueMs: -Infinity });
    }
  }

  /** The attempt failed. @param delayMs how long to wait, by the number of failures of this event */
  failed({ source }: Waiting, nowMs: number, delayMs: (failures: number) => number): void {
    const lane = this.#lanes.get(source)!;
    lane.isBusy = false;
    lane.failures++;
    lane.dueMs = nowMs + delayMs(lane.failures);
    this.#lanes.delete(source);
    this.#lanes.set(source, lane);
  }

  /** Lets every lane try again at once. */
  makeDue(): void {
    for (const lane of this.#lanes.values()) lane.dueMs = -Infinity;
  }

  /** Forgets what waits in a segment, but for what is on its way. @returns how many events */
  forget(segment: Segment): number {
    const before = this.#size;
    for (const [source, lane] of this.#lanes) {
      const kept = lane.waiting.filter(
        ({ place }, index) => place.segment !== segment || (index === 0 && lane.isBusy),
      );
      this.#size -= lane.waiting.length - kept.length;
      if (kept.length === 0) this.#lanes.delete(source);
      if (kept[0] !== lane.waiting[0]) Object.assign(lane, { failures: 0, dueMs: -Infinity });
      lane.waiting = kept;
    }
    return before - this.#size;
  }
}

import { cancellation } from '../errors/cancellation';
import { CallerCounts } from './caller-counts';

interface Waiter {
  readonly caller: string;
  readonly admit: () => void;
}

/**
 * A bounded number of places. One caller may have them all while it is alone. Where others come, it gets no more until they have
 * theirs: a caller with less than half of the places waits for the next that comes free, one with more is told that all are taken.
 */
export class Places {
  readonly #most: number;
  /** Who has a place, waits for one, or is expected to want one at once. */
  readonly #held = new CallerCounts();
  readonly #taken = new CallerCounts();
  #waiting: Waiter[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  /** Whether a newcomer of this caller's cannot have a place soon. */
  isFull(caller: string): boolean {
    if (this.#held.total < this.#most) return false;
    return this.#held.of(caller) >= this.#most / 2 || this.#held.total >= 2 * this.#most;
  }

  /** How many of a caller's have a place, wait for one, or are expected to want one at once. */
  heldBy(caller: string): number {
    return this.#held.of(caller);
  }

  /** Holds a place back for who is about to want one. @returns what ends that; further calls do nothing */
  expect(caller: string): () => void {
    return this.#count(this.#held, caller);
  }

  /** Whether no more than there are places can wait for one, and they do. */
  get isCrowded(): boolean {
    return this.#waiting.length >= this.#most;
  }

  /**
   * Waits for a place.
   * @returns what gives it back; further calls do nothing
   * @throws AppError the signal's reason, when it aborts before
   */
  async take(caller: string, signal: AbortSignal): Promise<() => void> {
    const release = this.#count(this.#held, caller);
    if (this.#taken.total >= this.#most || this.#waiting.length > 0) {
      try {
        await this.#turn(caller, signal);
      } catch (error) {
        release();
        throw error;
      }
    } else this.#taken.add(caller, 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      release();
      this.#taken.add(caller, -1);
      this.#admitNext();
    };
  }

  /** The place is taken when this resolves. */
  #turn(caller: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abandon = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== waiter);
        reject(cancellation(signal));
      };
      const waiter: Waiter = {
        caller,
        admit: () => {
          signal.removeEventListener('abort', abandon);
          this.#taken.add(caller, 1);
          resolve();
        },
      };
      this.#waiting.push(waiter);
      signal.addEventListener('abort', abandon, { once: true });
      if (signal.aborted) abandon();
    });
  }

  /** Who has the fewest places comes first; among those, who came first. */
  #admitNext(): void {
    let next: Waiter | undefined;
    for (const waiter of this.#waiting) {
      if (next === undefined || this.#taken.of(waiter.caller) < this.#taken.of(next.caller)) next = waiter;
    }
    if (next === undefined || this.#taken.total >= this.#most) return;
    this.#waiting.splice(this.#waiting.indexOf(next), 1);
    next.admit();
  }

  #count(counts: CallerCounts, caller: string): () => void {
    let counted = true;
    counts.add(caller, 1);
    return () => {
      if (!counted) return;
      counted = false;
      counts.add(caller, -1);
    };
  }
}

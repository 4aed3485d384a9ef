import { cancellation } from '../errors/cancellation';
import { CallerCounts } from './caller-counts';

interface Waiter {
  readonly caller: string;
  readonly admit: () => void;
}

/**
 * A limited number of places. A single caller may take all of them. While other callers wait, a caller
 * gets no further place until they have their share: a caller with less than half of the places waits
 * for the next free one, and a caller with more is told that all are taken.
 */
export class Places {
  readonly #maxPlaces: number;
  /** Callers that have a place, wait for one, or have announced that they will take one. */
  readonly #held = new CallerCounts();
  readonly #taken = new CallerCounts();
  #waiting: Waiter[] = [];

  constructor(maxPlaces: number) {
    this.#maxPlaces = maxPlaces;
  }

  /** Tells whether a new request of this caller could not get a place soon. */
  isFull(caller: string): boolean {
    if (this.#held.total < this.#maxPlaces) return false;
    return this.#held.of(caller) >= this.#maxPlaces / 2 || this.#held.total >= 2 * this.#maxPlaces;
  }

  /** Number of places that a caller has, waits for, or has announced. */
  heldBy(caller: string): number {
    return this.#held.of(caller);
  }

  /**
   * Reserves a place for a caller that is about to take one.
   * @returns ends the reservation; further calls do nothing
   */
  expect(caller: string): () => void {
    return this.#count(this.#held, caller);
  }

  /** Tells whether as many requests wait as there are places. */
  get isCrowded(): boolean {
    return this.#waiting.length >= this.#maxPlaces;
  }

  /**
   * Waits for a place.
   * @returns a function that gives the place back; further calls do nothing
   * @throws AppError the signal's reason, when it aborts before
   */
  async take(caller: string, signal: AbortSignal): Promise<() => void> {
    const release = this.#count(this.#held, caller);
    if (this.#taken.total >= this.#maxPlaces || this.#waiting.length > 0) {
      try {
        await this.#waitForPlace(caller, signal);
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

  /** Resolves when the caller's turn has come; the place is taken then. */
  #waitForPlace(caller: string, signal: AbortSignal): Promise<void> {
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

  /** Admits the waiter whose caller has the fewest places; among equal ones, the first to arrive. */
  #admitNext(): void {
    const next = this.#taken.withFewest(this.#waiting);
    if (next === undefined || this.#taken.total >= this.#maxPlaces) return;
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

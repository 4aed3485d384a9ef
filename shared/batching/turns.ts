import { systemClock } from '../runtime/clock';
import { FairQueue } from './fair-queue';

/** What all of it may take of the event loop in one go; then everything else has its turn. */
const sliceMs = 5;

type Piece = () => unknown;

/**
 * What is computed from sound on the event loop (a stream's decoding and resampling, windows, levels), piece by piece: after a few milliseconds of it the loop
 * looks after its sockets before it goes on, and callers take turns. A piece is bounded by whoever makes it, to a few milliseconds.
 */
export class Turns {
  readonly #queue = new FairQueue<Piece, unknown>();
  #spentMs = 0;
  #scheduled = false;

  /** @returns what the piece returns; rejects with what it throws */
  async run<T>(caller: string, piece: () => T): Promise<T> {
    this.#schedule();
    if (this.#queue.counts.total === 0 && this.#spentMs < sliceMs) return this.#measured(piece);
    const [result] = await this.#queue.add([piece], 0, caller).promise;
    return result as T;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#nextSlice();
    });
  }

  #nextSlice(): void {
    this.#scheduled = false;
    this.#spentMs = 0;
    while (this.#spentMs < sliceMs) {
      const [next] = this.#queue.take(1);
      if (next === undefined) return;
      const { group, item, index } = next;
      try {
        group.settle(index, this.#measured(item));
      } catch (error) {
        group.reject(error);
      }
    }
    if (this.#queue.counts.total > 0) this.#schedule();
  }

  #measured<T>(piece: () => T): T {
    const startedMs = systemClock.now();
    try {
      return piece();
    } finally {
      this.#spentMs += systemClock.now() - startedMs;
    }
  }
}

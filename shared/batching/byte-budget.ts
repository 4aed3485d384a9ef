import { cancellation } from '../errors/cancellation';
import { CallerCounts } from './caller-counts';

/** Bytes that were taken from a budget. */
export interface Room {
  readonly bytes: number;
  /** Gives back what is beyond `bytes`; asking for more than it has does nothing. */
  shrinkTo(bytes: number): void;
  /** Gives all of it back; further calls do nothing. */
  release(): void;
}

export interface RoomRequest {
  /** The caller on whose account they are; see services/classifier/access/caller-id.ts. */
  readonly caller: string;
  readonly bytes: number;
  /** Whether nobody waits for what it is for; it comes when no other request waits. */
  readonly isBackground?: boolean;
  readonly signal?: AbortSignal | undefined;
}

interface Waiter extends RoomRequest {
  readonly admit: () => void;
}

/** The share of the budget that is kept for small requests. */
const smallShare = 1 / 8;
/** A request up to this share of the budget is small. */
const smallestShare = 1 / 32;

/** The most that one request may ask of a budget of `maxBytes`. */
export function largestRequestBytes(maxBytes: number): number {
  return maxBytes * (1 - smallShare);
}

/**
 * A number of bytes that several callers share. Who finds no room waits for it. The next one is of the
 * caller that has the fewest bytes; among equal ones, the first to arrive. A caller may therefore take
 * everything while it is alone, and gets nothing more while others with less wait. A large request is
 * not overtaken by smaller ones, except in the eighth of the budget that is kept for small ones, which
 * therefore never wait for large ones.
 */
export class ByteBudget {
  readonly #maxBytes: number;
  readonly #smallBytes: number;
  /** The most that one request may ask for. */
  readonly largestRequestBytes: number;
  readonly #held = new CallerCounts();
  #heldBySmall = 0;
  #waiting: Waiter[] = [];

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#smallBytes = maxBytes * smallShare;
    this.largestRequestBytes = largestRequestBytes(maxBytes);
  }

  get heldBytes(): number {
    return this.#held.total;
  }

  /** Number of requests that wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Takes bytes, or waits until there is room for them.
   * @throws RangeError for more than `largestRequestBytes`; AppError the signal's reason, when it aborts
   * before
   */
  async take(request: RoomRequest): Promise<Room> {
    if (!(request.bytes <= this.largestRequestBytes)) {
      throw new RangeError(`${request.bytes} bytes of at most ${this.largestRequestBytes}`);
    }
    if (request.signal?.aborted === true) throw cancellation(request.signal);
    await this.#wait(request);
    return this.#roomOf(request);
  }

  /** Resolves when the request has its bytes. */
  #wait(request: RoomRequest): Promise<void> {
    const { signal } = request;
    return new Promise((resolve, reject) => {
      const abandon = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== waiter);
        reject(cancellation(signal!));
        // Those behind it may fit where it did not.
        this.#admit();
      };
      const waiter: Waiter = {
        ...request,
        admit: () => {
          signal?.removeEventListener('abort', abandon);
          resolve();
        },
      };
      signal?.addEventListener('abort', abandon, { once: true });
      this.#waiting.push(waiter);
      this.#admit();
    });
  }

  #roomOf({ caller, bytes }: RoomRequest): Room {
    const isSmall = this.#isSmall(bytes);
    let held = bytes;
    const shrinkTo = (wanted: number): void => {
      if (wanted >= held) return;
      this.#count(caller, wanted - held, isSmall);
      held = wanted;
      this.#admit();
    };
    return {
      get bytes() {
        return held;
      },
      shrinkTo,
      release: () => {
        shrinkTo(0);
      },
    };
  }

  #isSmall(bytes: number): boolean {
    return bytes <= this.#maxBytes * smallestShare;
  }

  #count(caller: string, change: number, isSmall: boolean): void {
    this.#held.add(caller, change);
    if (isSmall) this.#heldBySmall += change;
  }

  /** Gives their bytes to those who wait, as far as there is room. */
  #admit(): void {
    for (;;) {
      const small = this.#first(true);
      const large = this.#first(false);
      const next = small !== undefined && this.#fitsSmall(small, large) ? small : large;
      if (next === undefined || (next === large && !this.#fitsLarge(next))) return;
      this.#waiting.splice(this.#waiting.indexOf(next), 1);
      this.#count(next.caller, next.bytes, this.#isSmall(next.bytes));
      next.admit();
    }
  }

  /** While a large request waits, small ones have their own part and no more. */
  #fitsSmall({ bytes }: Waiter, large: Waiter | undefined): boolean {
    const isInOwnPart = this.#heldBySmall + bytes <= this.#smallBytes;
    return this.heldBytes + bytes <= this.#maxBytes && (large === undefined || isInOwnPart);
  }

  #fitsLarge({ bytes }: Waiter): boolean {
    const keptBytes = Math.max(0, this.#smallBytes - this.#heldBySmall);
    return this.heldBytes + bytes + keptBytes <= this.#maxBytes;
  }

  /** The next one among the small or the large requests. */
  #first(isSmall: boolean): Waiter | undefined {
    const all = this.#waiting.filter(({ bytes }) => this.#isSmall(bytes) === isSmall);
    const foreground = all.filter(({ isBackground }) => isBackground !== true);
    return this.#held.withFewest(foreground.length > 0 ? foreground : all);
  }
}

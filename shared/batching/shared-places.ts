import { CallerCounts } from './caller-counts';
import type { Clock } from '../runtime/clock';

/** The user of a place; it may keep the place without a time limit. */
export interface Holder {
  /** How much of its place it uses, from 0 to 1. */
  readonly use: number;
  /** Called when the place is given to another; the holder then ends. */
  giveUp(): void;
}

interface Place {
  readonly caller: string;
  readonly sinceMs: number;
  readonly holder: Holder;
  readonly leave: () => void;
}

/** A place whose use is below this counts as idle. A live microphone has a use of about 1. */
const idleBelowUse = 0.1;
/** A holder does not count as idle before this age. */
const graceMs = 3000;

/**
 * A limited number of places that are held for a long time, so that nobody can wait for one. When all
 * are taken, a new caller gets the place of an idle holder. A caller with less than half of the places
 * may also take one from a caller with more than half.
 */
export class SharedPlaces {
  readonly #maxPlaces: number;
  readonly #clock: Clock;
  readonly #places = new Set<Place>();
  readonly #counts = new CallerCounts();

  constructor(maxPlaces: number, clock: Clock) {
    this.#maxPlaces = maxPlaces;
    this.#clock = clock;
  }

  get taken(): number {
    return this.#places.size;
  }

  hasRoom(caller: string): boolean {
    return this.#places.size < this.#maxPlaces || this.#displaceable(caller) !== undefined;
  }

  /**
   * Takes a place, from another holder if necessary.
   * @returns a function that gives the place back (further calls do nothing); undefined where there is
   * no room
   */
  take(caller: string, holder: Holder): (() => void) | undefined {
    if (this.#places.size >= this.#maxPlaces) {
      const former = this.#displaceable(caller);
      if (former === undefined) return undefined;
      former.leave();
      former.holder.giveUp();
    }
    const place: Place = {
      caller,
      holder,
      sinceMs: this.#clock.now(),
      leave: () => {
        if (this.#places.delete(place)) this.#counts.add(caller, -1);
      },
    };
    this.#places.add(place);
    this.#counts.add(caller, 1);
    return place.leave;
  }

  #displaceable(caller: string): Place | undefined {
    const callerWithMost = this.#counts.callerWithMost;
    if (callerWithMost === undefined) return undefined;
    const oldEnough = this.#clock.now() - graceMs;
    const idle = [...this.#places].filter(
      ({ holder, sinceMs }) => sinceMs <= oldEnough && holder.use < idleBelowUse,
    );
    // Idle places of the caller with the most places are taken first.
    const first = leastUsed(idle.filter((place) => place.caller === callerWithMost)) ?? leastUsed(idle);
    if (first !== undefined) return first;
    const half = this.#maxPlaces / 2;
    if (this.#counts.of(caller) >= half || this.#counts.of(callerWithMost) <= half) return undefined;
    return leastUsed([...this.#places].filter((place) => place.caller === callerWithMost));
  }
}

/** Returns the place with the lowest use; among equal ones, the newest. */
function leastUsed(places: readonly Place[]): Place | undefined {
  let least: Place | undefined;
  for (const place of places) if (least === undefined || place.holder.use <= least.holder.use) least = place;
  return least;
}

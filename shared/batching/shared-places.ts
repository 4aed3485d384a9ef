import { CallerCounts } from './caller-counts';
import type { Clock } from '../runtime/clock';

/** Who has a place for as long as they like. */
export interface Holder {
  /** How much of its place it makes use of, from 0 to 1. */
  readonly use: number;
  /** Called when another gets the place: the holder ends. */
  giveUp(): void;
}

interface Place {
  readonly caller: string;
  readonly sinceMs: number;
  readonly holder: Holder;
  readonly leave: () => void;
}

/** Below this a place counts as unused: a live microphone uses all of its. */
const littleUse = 0.1;
/** Nobody is taken for idle before. */
const graceMs = 3000;

/**
 * A bounded number of places that are held for long, so that nobody can be made to wait for one. Where all are taken, a newcomer
 * gets one that is not made use of; and a caller with less than half of them gets one of a caller with more than half.
 */
export class SharedPlaces {
  readonly #most: number;
  readonly #clock: Clock;
  readonly #places = new Set<Place>();
  readonly #counts = new CallerCounts();

  constructor(most: number, clock: Clock) {
    this.#most = most;
    this.#clock = clock;
  }

  get taken(): number {
    return this.#places.size;
  }

  hasRoom(caller: string): boolean {
    return this.#places.size < this.#most || this.#displaceable(caller) !== undefined;
  }

  /** @returns what to call when it is over (further calls do nothing); undefined where there is no room */
  take(caller: string, holder: Holder): (() => void) | undefined {
    if (this.#places.size >= this.#most) {
      const former = this.#displaceable(caller);
      if (former === undefined) return undefined;
      former.leave();
      former.holder.giveUp();
    }
    const place: Place = {
      ...{ caller, holder, sinceMs: this.#clock.now() },
      leave: () => {
        if (this.#places.delete(place)) this.#counts.add(caller, -1);
      },
    };
    this.#places.add(place);
    this.#counts.add(caller, 1);
    return place.leave;
  }

  #displaceable(caller: string): Place | undefined {
    const greediest = this.#counts.greediest;
    if (greediest === undefined) return undefined;
    const oldEnough = this.#clock.now() - graceMs;
    const idle = [...this.#places].filter(
      ({ holder, sinceMs }) => sinceMs <= oldEnough && holder.use < littleUse,
    );
    // Of idle places, those of the caller that has the most go first.
    const first = leastUsed(idle.filter((place) => place.caller === greediest)) ?? leastUsed(idle);
    if (first !== undefined) return first;
    const half = this.#most / 2;
    if (this.#counts.of(caller) >= half || this.#counts.of(greediest) <= half) return undefined;
    return leastUsed([...this.#places].filter((place) => place.caller === greediest));
  }
}

/** Of several that are used alike, the newest. */
function leastUsed(places: readonly Place[]): Place | undefined {
  let least: Place | undefined;
  for (const place of places) if (least === undefined || place.holder.use <= least.holder.use) least = place;
  return least;
}

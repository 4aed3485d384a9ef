/** What the position that a page states says of its sound, in samples. */
export interface PagePlace {
  /** Sound that is missing in front of the page. */
  readonly hole: number;
  /** At the end of the page's sound, not to be played. */
  readonly discard: number;
}

export interface OggClock {
  /**
   * @param granule the page's stated position; negative where it has none
   * @param samples how many its packets hold
   * @param follows whether no page is missing in front of it
   */
  place(page: {
    readonly granule: number;
    readonly samples: number;
    readonly isLast: boolean;
    readonly follows: boolean;
  }): PagePlace;
}

/** A jump beyond an hour is a broken position rather than an hour without sound. */
const maxHoleSeconds = 3600;
/** Where no page is missing, a shorter jump is an encoder's rounding. */
const leastJumpSeconds = 0.1;

const nothing: PagePlace = { hole: 0, discard: 0 };

/**
 * Compares the positions that a stream's pages state with the sound in them. Many encoders state wrong ones (in another unit, all
 * zero, from anywhere), so a position counts only while those before it agreed with the sound: then a jump forward is a hole, and
 * one backward at the end is the encoder's padding (RFC 7845, section 4.4).
 * @param unitsPerSecond of the positions
 */
export function createOggClock(unitsPerSecond: number): OggClock {
  let position: number | undefined;
  /** Samples since `position`, on pages without one. */
  let since = 0;
  let agreed = false;

  /** The first position: a stream from its start counts from 0, one joined in its middle from anywhere. */
  function begin(granule: number, samples: number, isLast: boolean): PagePlace {
    agreed = granule === samples;
    position = granule;
    return isLast && granule > 0 && granule < samples ? { hole: 0, discard: samples - granule } : nothing;
  }

  function isHole(jump: number, follows: boolean): boolean {
    const seconds = jump / unitsPerSecond;
    return agreed && jump > 0 && seconds <= maxHoleSeconds && (!follows || seconds >= leastJumpSeconds);
  }

  return {
    place({ granule, samples, isLast, follows }) {
      const held = since + samples;
      since = granule < 0 ? held : 0;
      if (granule < 0 || !Number.isSafeInteger(granule)) return nothing;
      // The header's own pages state 0.
      if (position === undefined && held === 0) return nothing;
      if (position === undefined) return begin(granule, held, isLast);
      const jump = granule - position - held;
      position = granule;
      if (isHole(jump, follows)) return { hole: jump, discard: 0 };
      const isPadding = agreed && isLast && jump < 0 && -jump <= held;
      const discard = isPadding ? Math.min(samples, -jump) : 0;
      // A stream from its middle has no position that its first page's could agree with: the next one decides.
      agreed = jump === 0;
      return { hole: 0, discard };
    },
  };
}

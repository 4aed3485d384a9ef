import { maxLeadSeconds } from './track-clock';

/** What the position that a page states says of its sound, in samples. */
export interface PagePlace {
  /** Sound that is missing in front of the page. */
  readonly hole: number;
  /** At the end of the page's sound, not to be played. */
  readonly discard: number;
}

/** A page of sound and what its head states. */
interface PageState {
  /** The stated position; negative where it has none. */
  readonly granule: number;
  /** How many samples its packets hold. */
  readonly samples: number;
  readonly isLast: boolean;
  /** Whether no page is missing in front of it. */
  readonly follows: boolean;
  /** Whether the stream shares its clock with others that began with it. */
  readonly isAccompanied: boolean;
}

export interface OggClock {
  place(page: PageState): PagePlace;
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

  /**
   * The first position: a stream from its start counts from 0, one joined in its middle from anywhere. Where it shares its clock, as a
   * film's sound does with the picture, it may begin late.
   */
  function begin({ granule, isLast, follows, isAccompanied }: PageState, samples: number): PagePlace {
    agreed = granule === samples;
    position = granule;
    const late = granule - samples;
    const isLate = late >= leastJumpSeconds * unitsPerSecond && late <= maxLeadSeconds * unitsPerSecond;
    if (isLate && isAccompanied && follows) return { hole: late, discard: 0 };
    return isLast && granule > 0 && granule < samples ? { hole: 0, discard: samples - granule } : nothing;
  }

  function isHole(jump: number, follows: boolean): boolean {
    const seconds = jump / unitsPerSecond;
    return agreed && jump > 0 && seconds <= maxHoleSeconds && (!follows || seconds >= leastJumpSeconds);
  }

  return {
    place(page) {
      const { granule, samples, isLast, follows } = page;
      const held = since + samples;
      since = granule < 0 ? held : 0;
      if (granule < 0 || !Number.isSafeInteger(granule)) return nothing;
      // The header's own pages state 0.
      if (position === undefined && held === 0) return nothing;
      if (position === undefined) return begin(page, held);
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

import { maxLeadSeconds } from './track-clock';

/**
 * The gap before a page and the padding at its end, in samples, as computed from its stated position.
 */
interface PagePlace {
  /** Missing samples before the page. */
  readonly gap: number;
  /** Samples at the end of the page that are not played. */
  readonly discard: number;
}

/** A page with audio and the content of its header. */
interface PageState {
  /** The stated position; negative where it has none. */
  readonly granule: number;
  /** Samples in its packets. */
  readonly samples: number;
  readonly isLast: boolean;
  /** Whether no page is missing before it. */
  readonly follows: boolean;
  /** Whether the stream began together with others and shares their clock. */
  readonly isAccompanied: boolean;
}

export interface OggClock {
  place(page: PageState): PagePlace;
}

/** A longer jump counts as an invalid position. */
const maxHoleSeconds = 3600;
/** Where no page is missing, a shorter jump counts as rounding of the encoder. */
const minJumpSeconds = 0.1;

const nothing: PagePlace = { gap: 0, discard: 0 };

/**
 * Compares the positions that a stream's pages state with the samples in them. Many encoders write wrong
 * positions (another unit, all zero, an arbitrary start), so a position counts only while the earlier
 * ones matched the samples. Then a jump forward is a gap, and a jump back at the end is the encoder's
 * padding (RFC 7845, section 4.4).
 * @param unitsPerSecond the unit of the positions
 */
export function createOggClock(unitsPerSecond: number): OggClock {
  let position: number | undefined;
  /** Samples since `position`, on pages without a position. */
  let samplesSince = 0;
  let hasMatched = false;

  /**
   * Handles the first position. A complete stream counts from 0; a stream that was joined later has an
   * arbitrary start. A stream that shares its clock with others, such as a film's audio, may begin late.
   */
  function begin({ granule, isLast, follows, isAccompanied }: PageState, samples: number): PagePlace {
    hasMatched = granule === samples;
    position = granule;
    const late = granule - samples;
    const isLate = late >= minJumpSeconds * unitsPerSecond && late <= maxLeadSeconds * unitsPerSecond;
    if (isLate && isAccompanied && follows) return { gap: late, discard: 0 };
    return isLast && granule > 0 && granule < samples ? { gap: 0, discard: samples - granule } : nothing;
  }

  function isGap(jump: number, follows: boolean): boolean {
    const seconds = jump / unitsPerSecond;
    return hasMatched && jump > 0 && seconds <= maxHoleSeconds && (!follows || seconds >= minJumpSeconds);
  }

  return {
    place(page) {
      const { granule, samples, isLast, follows } = page;
      const held = samplesSince + samples;
      samplesSince = granule < 0 ? held : 0;
      if (granule < 0 || !Number.isSafeInteger(granule)) return nothing;
      // Header pages state position 0.
      if (position === undefined && held === 0) return nothing;
      if (position === undefined) return begin(page, held);
      const jump = granule - position - held;
      position = granule;
      if (isGap(jump, follows)) return { gap: jump, discard: 0 };
      const isPadding = hasMatched && isLast && jump < 0 && -jump <= held;
      const discard = isPadding ? Math.min(samples, -jump) : 0;
      // The first page of a stream that was joined later has no position to compare with; the next page
      // decides.
      hasMatched = jump === 0;
      return { gap: 0, discard };
    },
  };
}

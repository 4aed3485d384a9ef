/** A sound that is to be found. */
export interface LabelledEvent {
  /** Index into the classes. */
  readonly label: number;
  readonly onsetSeconds: number;
  readonly offsetSeconds: number;
  /** The recording that it is from. */
  readonly recording: string;
}

/** A stretch of a timeline that one recording is the background of. */
export interface BackgroundSpan {
  readonly recording: string;
  readonly startSeconds: number;
  readonly endSeconds: number;
}

/** A long recording, and what is to be heard when. */
export interface Timeline {
  readonly name: string;
  /** Mono at the model's rate. */
  readonly samples: Float32Array;
  readonly seconds: number;
  /** In the order of their onsets. */
  readonly events: readonly LabelledEvent[];
  /** In their order; they cover the timeline. */
  readonly background: readonly BackgroundSpan[];
}

/**
 * Joins sounds of one class that follow each other after a shorter pause: a window that hears both
 * cannot tell them apart.
 * @param events in the order of their onsets
 */
export function joinEvents(events: readonly LabelledEvent[], pauseSeconds: number): LabelledEvent[] {
  const joined: LabelledEvent[] = [];
  const latest = new Map<number, number>();
  for (const event of events) {
    const place = latest.get(event.label);
    const before = place === undefined ? undefined : joined[place]!;
    if (before !== undefined && event.onsetSeconds - before.offsetSeconds < pauseSeconds) {
      const offsetSeconds = Math.max(before.offsetSeconds, event.offsetSeconds);
      joined[place!] = { ...before, offsetSeconds };
    } else {
      latest.set(event.label, joined.push(event) - 1);
    }
  }
  return joined;
}

/** Timelines that the same members of a version judge. */
export interface TimelinePart {
  readonly timelines: readonly Timeline[];
  /** Of the version's members, from the first to the one before the last; absent: all. */
  readonly members?: readonly [first: number, end: number];
}

/** What a version is judged on. */
export interface TimelineSet {
  /** Made one after the other, because an hour takes half a gigabyte. */
  readonly parts: AsyncIterable<TimelinePart>;
  /** What tells this set from others, known when all parts were made. */
  readonly identity: () => readonly string[];
  /** In words, for the output. */
  readonly description: string;
  readonly notes: () => readonly string[];
}

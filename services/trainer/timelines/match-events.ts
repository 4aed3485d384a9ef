import type { LabelledEvent } from './timeline';

/** An event that the detector reported. */
export interface ReportedEvent {
  readonly label: number;
  /** Where the detector says that it starts. */
  readonly onsetSeconds: number;
  /** When it says so: the end of the window that made it sure. */
  readonly toldSeconds: number;
}

/** A labelled event and the report that found it. */
interface Outcome {
  readonly event: LabelledEvent;
  /** Undefined: missed. */
  readonly report: ReportedEvent | undefined;
}

export interface Matching {
  /** One for each labelled event. */
  readonly outcomes: readonly Outcome[];
  /** Reports of a sound that is not there. */
  readonly falseAlarms: readonly ReportedEvent[];
  /** Further reports of a sound that was found already. */
  readonly repeated: number;
}

/** A report may say that a sound starts so much before its label does: people place labels by eye. */
const earlySeconds = 0.5;
/** … and so much after its label ends: a window still hears a short sound that is over. */
const lateSeconds = 2;

/**
 * Matches reports with labelled events of the same class, one to one, and as many as possible. A report
 * fits where its onset lies within the label, 0.5 s before it or 2 s after it. A report that fits a
 * label without being its match says the same sound again, and is no false alarm.
 */
export function matchEvents(
  labelled: readonly LabelledEvent[],
  reported: readonly ReportedEvent[],
): Matching {
  const free = new Set(reported);
  const found = new Map<LabelledEvent, ReportedEvent>();
  // The label that ends first takes the first report that fits; no other order matches more.
  for (const event of [...labelled].sort((a, b) => a.offsetSeconds - b.offsetSeconds)) {
    const fitting = [...free].filter((report) => fits(event, report));
    const first = fitting.sort((a, b) => a.onsetSeconds - b.onsetSeconds)[0];
    if (first === undefined) continue;
    free.delete(first);
    found.set(event, first);
  }
  const unmatched = [...free];
  const isRepeat = (report: ReportedEvent): boolean => labelled.some((event) => fits(event, report));
  return {
    outcomes: labelled.map((event) => ({ event, report: found.get(event) })),
    falseAlarms: unmatched.filter((report) => !isRepeat(report)),
    repeated: unmatched.filter(isRepeat).length,
  };
}

function fits({ label, onsetSeconds, offsetSeconds }: LabelledEvent, report: ReportedEvent): boolean {
  return (
    report.label === label &&
    report.onsetSeconds >= onsetSeconds - earlySeconds &&
    report.onsetSeconds <= offsetSeconds + lateSeconds
  );
}

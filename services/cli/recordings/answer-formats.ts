import type { Classification, RecordingEvent } from '../../../shared/contracts/classification';
import { csvRecords } from '../../../shared/datasets/csv-records';
import type { FileState, Recording } from './find-recordings';

/** A recording that an earlier run had the answer to. */
export interface Answered extends FileState {
  readonly file: string;
}

/** How answers stand in a file that later runs go on with. A line ends with a line feed. */
export interface ListFormat {
  /** First line of the file; empty where there is none. */
  readonly head: string;
  /** Returns the lines of an answer. */
  encode(recording: Recording, answer: Classification): string;
  /** Creates what reads the lines behind the head, one after another. */
  createReader(): (line: string) => ReadLine;
}

interface ReadLine {
  /** Whether it is no line of such a list. */
  readonly isForeign?: boolean;
  /** Whether the answer ends with it. */
  readonly isLast?: boolean;
  /** The recording that the answer is to, with the last line; absent where it was standard input. */
  readonly answered?: Answered;
}

/** JSON Lines: what the service answers, with the file's path, size and time of change. */
export const jsonLines: ListFormat = {
  head: '',
  encode: ({ file, state }, answer) => `${JSON.stringify({ file, ...state, ...answer })}\n`,
  createReader: () => (line) => {
    let read: Partial<Answered> & { readonly error?: unknown };
    try {
      read = JSON.parse(line) as typeof read;
    } catch {
      return { isForeign: true };
    }
    const { file, bytes, modified, error } = read;
    if (typeof file !== 'string') return { isForeign: true };
    if (error !== undefined || bytes === undefined || modified === undefined) return { isLast: true };
    return { isLast: true, answered: { file, bytes, modified } };
  },
};

const csvColumns = [
  ...['file', 'bytes', 'modified', 'duration_seconds', 'label', 'confidence', 'events'],
  ...['event_label', 'onset_seconds', 'offset_seconds', 'peak_confidence'],
];

/**
 * CSV (RFC 4180, but lines end with a line feed): a row for each event; a recording without events has
 * one row, with the last four columns empty.
 */
export const csv: ListFormat = {
  head: `${csvColumns.join(',')}\n`,
  encode({ file, state }, { audio, label, confidence, events = [] }) {
    const about = [
      file,
      state?.bytes,
      state?.modified,
      audio.durationSeconds,
      label,
      confidence,
      events.length,
    ];
    const rows: (string | number)[][] = events.map((event) => [
      event.label,
      event.onsetSeconds,
      event.offsetSeconds,
      event.peakConfidence,
    ]);
    if (rows.length === 0) rows.push(['', '', '', '']);
    return rows.map((row) => `${[...about, ...row].map(csvField).join(',')}\n`).join('');
  },
  createReader() {
    let rowsLeft = 0;
    return (line) => {
      const fields = fieldsOf(line);
      if (fields.length !== csvColumns.length) return { isForeign: true };
      const [file = '', bytes, modified = '', , , , events] = fields;
      if (rowsLeft === 0) rowsLeft = Math.max(1, Number(events));
      rowsLeft -= 1;
      if (rowsLeft > 0) return {};
      return modified === ''
        ? { isLast: true }
        : { isLast: true, answered: { file, bytes: Number(bytes), modified } };
    };
  },
};

/** The fields of a row; none where it is no CSV. */
function fieldsOf(line: string): readonly string[] {
  try {
    return [...csvRecords(line, ',')][0]?.fields ?? [];
  } catch {
    return [];
  }
}

/** A line break within a name becomes a space, so that a row is a line. */
function csvField(value: string | number | undefined): string {
  const text = String(value ?? '').replace(/[\r\n]+/g, ' ');
  return /[",]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A file of labels for one recording. */
export interface LabelFormat {
  /** What follows the recording's name. */
  readonly suffix: string;
  encode(answer: Classification): string;
}

/** A label track of Audacity: start, end and label of a region, with tabs between them. */
export const audacity: LabelFormat = {
  suffix: '.txt',
  encode: ({ events = [] }) =>
    events
      .map(
        ({ onsetSeconds, offsetSeconds, label }) =>
          `${onsetSeconds.toFixed(6)}\t${offsetSeconds.toFixed(6)}\t${labelText(label)}\n`,
      )
      .join(''),
};

const ravenColumns = [
  ...['Selection', 'View', 'Channel', 'Begin Time (s)', 'End Time (s)', 'Low Freq (Hz)', 'High Freq (Hz)'],
  ...['Annotation', 'Confidence'],
];

/** A selection table of Raven. A selection spans all frequencies, because an event has no band. */
export const raven: LabelFormat = {
  suffix: '.selections.txt',
  encode({ audio, events = [] }) {
    const highHz = audio.sampleRate / 2;
    const row = (event: RecordingEvent, index: number): string[] => [
      ...[String(index + 1), 'Spectrogram 1', '1'],
      ...[event.onsetSeconds.toFixed(6), event.offsetSeconds.toFixed(6), '0.0', highHz.toFixed(1)],
      ...[labelText(event.label), event.peakConfidence.toFixed(4)],
    ];
    return [ravenColumns, ...events.map(row)].map((fields) => `${fields.join('\t')}\n`).join('');
  },
};

/** Tabs and line breaks end a field in these formats. */
function labelText(label: string): string {
  return label.replace(/[\t\r\n]+/g, ' ');
}

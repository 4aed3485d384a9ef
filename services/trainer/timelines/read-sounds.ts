import { readFile, stat } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { windowFormat, type FrontEnds } from '../../../shared/contracts/members';
import { readCsv, readHead } from '../../../shared/datasets/csv-file';
import { maxClipBytes } from '../../../shared/datasets/clip-file';
import { invalidDataset, shownList, shownValue } from '../../../shared/datasets/dataset-problems';
import { indexFiles } from '../../../shared/datasets/file-index';
import { AppError } from '../../../shared/errors/app-error';
import type { ClipDecoder } from '../../../shared/signal/clip';
import type { BackgroundRecording } from './mix-timeline';
import type { LabelledEvent, Timeline } from './timeline';

export interface SoundReader {
  readonly decoder: ClipDecoder;
  readonly frontEnds: FrontEnds;
  readonly signal: AbortSignal;
}

/** Of one recording. */
const maxHours = 6;
const soundName = /\.(wav|wave|flac|mp3|ogg|oga|opus|m4a|mp4|webm|aiff?|aac|wma|mka)$/i;

/** A recording without labels, and the hash of its bytes. */
interface Sound {
  readonly samples: Float32Array;
  readonly sha256: string;
}

/** @throws AppError invalid-dataset that names the file */
async function readSound(file: string, { decoder, frontEnds, signal }: SoundReader): Promise<Sound> {
  const { sampleRate, removesOffset } = windowFormat({ frontEnds });
  const folder = path.dirname(file);
  const name = shownValue(path.basename(file));
  const { size } = await stat(file).catch((cause: unknown) => {
    throw invalidDataset(folder, [
      `${name} cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown'})`,
    ]);
  });
  if (size > maxClipBytes) throw invalidDataset(folder, [`${name} is larger than ${maxClipBytes} bytes`]);
  const bytes = await readFile(file);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  try {
    const { samples } = await decoder.decode(bytes, {
      sampleRate,
      removeOffset: removesOffset,
      maxSeconds: maxHours * 3600,
      signal,
    });
    return { samples, sha256 };
  } catch (caught) {
    const error = AppError.from(caught);
    if (error.code === 'internal' || error.code === 'cancelled') throw caught;
    throw invalidDataset(folder, [`${name}: ${error.message}`]);
  }
}

/** What background recordings must have in the columns of the folder's CSV, by column. */
export type BackgroundFilter = ReadonlyMap<string, string>;

/**
 * Reads the recordings of a folder, in the order of their names; with a filter, those that its CSV
 * (`manifest.csv`, with a column `file` or `filename`) has with these values.
 * @throws AppError invalid-dataset
 */
export async function readBackground(
  folder: string,
  filter: BackgroundFilter,
  reader: SoundReader,
): Promise<BackgroundRecording[]> {
  const names = filter.size === 0 ? indexFiles(folder).files : listed(folder, filter);
  const sounds = names.filter((name) => soundName.test(name)).sort();
  if (sounds.length === 0) throw invalidDataset(folder, ['there are no recordings that fit']);
  const background: BackgroundRecording[] = [];
  for (const name of sounds) {
    const { samples } = await readSound(path.join(folder, name), reader);
    background.push({ name, samples });
  }
  return background;
}

const manifestName = 'manifest.csv';

function listed(folder: string, filter: BackgroundFilter): string[] {
  const { head, records } = openCsv(folder, manifestName);
  const file = columnOf(head.columns, ['file', 'filename']);
  const wanted = [...filter].map(([column, value]) => ({ index: columnOf(head.columns, [column]), value }));
  if (file < 0 || wanted.some(({ index }) => index < 0)) {
    const detail = `${manifestName} has the columns ${shownList(head.written, 12)}; it needs file and ${[...filter.keys()].join(', ')}`;
    throw invalidDataset(folder, [detail]);
  }
  return [...records]
    .filter(({ fields }) => wanted.every(({ index, value }) => fields[index] === value))
    .map(({ fields }) => fields[file] ?? '');
}

function openCsv(
  folder: string,
  name: string,
): { head: ReturnType<typeof readHead> } & ReturnType<typeof readCsv> {
  try {
    const head = readHead(folder, name);
    return { head, ...readCsv(folder, head) };
  } catch (caught) {
    if (caught instanceof AppError) throw caught;
    throw invalidDataset(folder, [`${name} cannot be read: ${(caught as Error).message}`]);
  }
}

function columnOf(columns: readonly string[], names: readonly string[]): number {
  return columns.findIndex((column) => names.includes(column));
}

/** What a CSV says of its recordings. */
export interface OwnTimelines {
  readonly timelines: readonly Timeline[];
  /** The CSV and the recordings, hashed. */
  readonly sha256: readonly string[];
  /** Labels that are none of the classes; their sounds are background. */
  readonly others: readonly string[];
}

/**
 * Reads a labelled timeline: a CSV with the columns onset, offset (seconds) and label, a line for each
 * sound, and the recording of the same name beside it; with a column `filename` the recordings that it
 * names, relative to the CSV.
 * @throws AppError invalid-dataset that names the line
 */
export async function readTimelines(
  file: string,
  classes: readonly string[],
  reader: SoundReader,
): Promise<OwnTimelines> {
  const folder = path.dirname(path.resolve(file));
  const name = path.basename(file);
  const lines = labelLines(folder, name);
  const timelines: Timeline[] = [];
  const sha256 = [createHash('sha256').update(JSON.stringify(lines)).digest('hex')];
  for (const recording of new Set(lines.map((line) => line.recording))) {
    const sound = await readSound(path.join(folder, recording), reader);
    const seconds = sound.samples.length / windowFormat(reader).sampleRate;
    const own = lines.filter((line) => line.recording === recording);
    const late = own.find(({ onsetSeconds }) => onsetSeconds >= seconds);
    if (late !== undefined) {
      const detail = `${name}, line ${late.line}: ${late.onsetSeconds} s is behind the end of ${shownValue(recording)} (${seconds.toFixed(1)} s)`;
      throw invalidDataset(folder, [detail]);
    }
    sha256.push(sound.sha256);
    timelines.push({
      name: recording,
      samples: sound.samples,
      seconds,
      events: own
        .filter(({ label }) => classes.includes(label))
        .map((line): LabelledEvent => ({ ...line, label: classes.indexOf(line.label) }))
        .sort((a, b) => a.onsetSeconds - b.onsetSeconds),
      background: [{ recording, startSeconds: 0, endSeconds: seconds }],
    });
  }
  const others = new Set(lines.map(({ label }) => label).filter((label) => !classes.includes(label)));
  return { timelines, sha256, others: [...others] };
}

interface LabelLine {
  readonly recording: string;
  readonly onsetSeconds: number;
  readonly offsetSeconds: number;
  readonly label: string;
  readonly line: number;
}

function labelLines(folder: string, name: string): LabelLine[] {
  const { head, records } = openCsv(folder, name);
  const [onset, offset, label, filename] = [
    ['onset', 'start'],
    ['offset', 'end'],
    ['label', 'eventlabel', 'category'],
    ['filename', 'file'],
  ].map((names) => columnOf(head.columns, names)) as [number, number, number, number];
  if (Math.min(onset, offset, label) < 0) {
    const detail = `${name} has the columns ${shownList(head.written, 12)}; a timeline needs onset, offset and label`;
    throw invalidDataset(folder, [detail]);
  }
  const beside = filename < 0 ? recordingBeside(folder, name) : '';
  const lines = [...records].map(({ fields, line }): LabelLine => {
    const [from, to] = [secondsOf(fields[onset]), secondsOf(fields[offset])];
    if (!(from >= 0 && to > from)) {
      const detail = `${name}, line ${line}: expected an onset and a later offset in seconds, got ${shownValue(fields[onset] ?? '')} and ${shownValue(fields[offset] ?? '')}`;
      throw invalidDataset(folder, [detail]);
    }
    const recording = filename < 0 ? beside : (fields[filename] ?? '');
    return { recording, onsetSeconds: from, offsetSeconds: to, label: fields[label] ?? '', line };
  });
  if (lines.length === 0) throw invalidDataset(folder, [`${name} lists no sound`]);
  return lines;
}

/** NaN where it is no number. */
function secondsOf(text = ''): number {
  return text === '' ? NaN : Number(text);
}

function recordingBeside(folder: string, name: string): string {
  const own = indexFiles(folder)
    .withStemOf(name)
    .filter((file) => soundName.test(file) && !file.includes('/'));
  const [first, ...more] = own;
  if (first !== undefined && more.length === 0) return first;
  const stem = name.replace(/\.[^.]*$/, '');
  const found = first === undefined ? 'there is none' : `there are ${shownList(own)}`;
  throw invalidDataset(folder, [
    `${name} has no column filename, so its recording is called ${shownValue(stem)} too, as in ${stem}.wav; ${found}`,
  ]);
}

import path from 'node:path';
import { assignFolds } from './assign-folds';
import { classNameProblem, cleanClassName } from './class-name';
import { findCsv, readCsv, readHead, requiredColumns, type CsvHead } from './csv-file';
import { CsvFault } from './csv-records';
import { checkLines, type CheckedLine } from './dataset-lines';
import { invalidDataset, ProblemList, shownList, type DatasetProblems } from './dataset-problems';
import type { TextEncodingName } from './text-encoding';
import { indexFiles, isUsersFault, type FileIndex } from './file-index';

/** A clip as the CSV names it, checked. */
export interface DatasetRow {
  /** As the CSV has it, composed and normalised; of a name that carries another machine's folders, the file's. */
  readonly filename: string;
  /** Relative to the dataset's folder, as the disk has it; undefined: it is missing. */
  readonly file: string | undefined;
  readonly fold: number;
  /** What the clip was cut from: clips of one source are of one sound, and judge nothing that another of them taught. */
  readonly source: string;
  readonly category: string;
  /** The class's number, when the CSV has a column `target`. */
  readonly target: number | undefined;
}

export interface DatasetListing {
  /** Relative to the dataset's folder. */
  readonly csvName: string;
  /** Relative to the dataset's folder; the folder itself is the empty name. */
  readonly folders: readonly string[];
  readonly rows: readonly DatasetRow[];
  /** What is wrong with lines of the CSV; those lines are not among `rows`. */
  readonly problems: DatasetProblems;
  /** Lines are left out, or to be taken out: what else seems to be missing may only follow from that. */
  readonly isPartial: boolean;
  /** Recordings that are named and not there. */
  readonly missing: DatasetProblems;
  /** What may not be meant, and keeps nothing from being trained. */
  readonly warnings: readonly string[];
  /** The CSV has no folds: they were made (assign-folds.ts). */
  readonly foldsMade: boolean;
}

export interface ReadDatasetOptions {
  /** Relative to the folder; without it, the one CSV that has the columns. */
  readonly csv?: string | undefined;
  /** Only the lines whose column `esc10` says True. */
  readonly esc10Only?: boolean | undefined;
  /** Called now and then; ends the reading by throwing. */
  readonly assertWanted?: (() => void) | undefined;
}

/** ESC-50's names: fold, number of the recording, take of it, class. */
const esc50Name = /^\d+-(\d+)-[A-Z]-\d+\.\w+$/;

/**
 * Reads the list of clips: a CSV with the columns `filename` and `category`, and optionally `fold`, `source`,
 * `target` and `esc10`, as ESC-50 has them; and finds the recordings. Where it has no `fold`, folds are made; clips of one
 * source stay together then: the column `source` says which those are, else names as ESC-50 has them, else every clip is its own.
 *
 * Works at once, and for a second where there are 50,000 clips: a service calls it on a thread.
 *
 * @throws AppError invalid-dataset when there is no such CSV or it cannot be parsed at all; the file system's errors that are not
 *   the data's
 */
export function readDatasetCsv(folder: string, options: ReadDatasetOptions = {}): DatasetListing {
  const { csv, esc10Only = false, assertWanted = () => undefined } = options;
  const index = indexFiles(folder);
  assertWanted();
  const head = csv === undefined ? findCsv(folder, index) : namedCsv(folder, csv);
  assertColumns(folder, head, esc10Only ? [...requiredColumns, 'esc10'] : requiredColumns);
  const content = readCsv(folder, head);
  const checked = checkLines({ head, records: content.records, index, esc10Only, assertWanted });
  const problems = new ProblemList();
  problems.addAll(checked.problems);
  const isPartial = checked.isPartial || hasUnfitClass(checked.lines);
  const made = checked.hasFolds ? undefined : assignFolds(checked.lines.map(unfolded));
  if (made !== undefined && !isPartial) for (const problem of made.problems) problems.add(problem);
  return {
    csvName: head.name,
    folders: index.folders,
    rows: checked.lines.map(({ filename, file, category, target, fold, source }, at) => ({
      ...{ filename, file, category, target },
      source: sourceOf(filename, source),
      fold: made === undefined ? fold! : made.folds[at]!,
    })),
    problems,
    isPartial,
    missing: missingOf(checked.lines, checked.missing, head, index),
    warnings: encodingWarnings(head.name, content.encoding),
    foldsMade: made !== undefined,
  };
}

function hasUnfitClass(lines: readonly CheckedLine[]): boolean {
  const names = new Set(lines.map(({ category }) => category));
  return [...names].some((name) => classNameProblem(name) !== undefined);
}

function encodingWarnings(name: string, encoding: TextEncodingName): string[] {
  if (encoding !== 'Windows-1252') return [];
  return [`${name} is no Unicode: it was read as Windows-1252; save it as UTF-8`];
}

/** Where not one recording is found, one sentence says so. */
function missingOf(
  lines: readonly CheckedLine[],
  missing: DatasetProblems,
  { name }: CsvHead,
  { files }: FileIndex,
): DatasetProblems {
  if (missing.count < 2 || missing.count < lines.length) return missing;
  const others = files.filter((file) => file !== name);
  const present = others.length === 0 ? 'there is no other file' : `there are ${shownList(others, 3)}`;
  const first = shownList([lines[0]!.filename]);
  const all = new ProblemList();
  all.add(`none of the ${missing.count} recordings that ${name} names is there, as ${first}; ${present}`);
  return all;
}

function unfolded({ filename, category, source }: CheckedLine): Parameters<typeof assignFolds>[0][number] {
  return { filename, category, source: sourceOf(filename, source) };
}

/** The prefixes keep a source's name and a file's apart. */
function sourceOf(filename: string, source: string): string {
  if (source !== '') return `source ${cleanClassName(source)}`;
  const recording = esc50Name.exec(path.posix.basename(filename))?.[1];
  return recording === undefined ? `file ${filename}` : `recording ${recording}`;
}

/** Whether the CSV says which of its clips make up ESC-10. @throws AppError invalid-dataset */
export function marksEsc10(folder: string): boolean {
  return findCsv(folder, indexFiles(folder)).columns.includes('esc10');
}

function namedCsv(folder: string, csv: string): CsvHead {
  const name = path.relative(folder, path.resolve(folder, csv));
  try {
    return readHead(folder, name);
  } catch (caught) {
    if (caught instanceof CsvFault)
      throw invalidDataset(folder, [`${csv} is no valid CSV: ${caught.message}`]);
    if (isUsersFault(caught)) throw invalidDataset(folder, [`${csv} cannot be read (${caught.code})`]);
    throw caught;
  }
}

function assertColumns(folder: string, { name, columns, written }: CsvHead, wanted: readonly string[]): void {
  const absent = wanted.filter((column) => !columns.includes(column));
  if (absent.length > 0) {
    throw invalidDataset(folder, [
      `${name} has no column ${absent.join(', ')}; it has ${shownList(written, 8)}`,
    ]);
  }
  const twice = [...wanted, 'fold', 'source', 'target'].find(
    (column) => columns.indexOf(column) !== columns.lastIndexOf(column),
  );
  if (twice !== undefined) throw invalidDataset(folder, [`${name} has the column ${twice} twice`]);
}

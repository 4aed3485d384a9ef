import path from 'node:path';
import { assignFolds } from './assign-folds';
import { classNameProblem, cleanClassName } from './class-name';
import { findCsv, readCsv, readHead, requiredColumns, type CsvHead } from './csv-file';
import { CsvFault } from './csv-records';
import { checkLines, type CheckedLine } from './dataset-lines';
import { invalidDataset, ProblemList, shownList, type DatasetProblems } from './dataset-problems';
import type { TextEncodingName } from './text-encoding';
import { indexFiles, isUserFixable, type FileIndex } from './file-index';

/** A checked clip of the CSV. */
export interface DatasetRow {
  /**
   * The name in the CSV, composed and normalised. Where the name has folders of another machine, the
   * name of the file.
   */
  readonly filename: string;
  /** The file's actual name relative to the dataset's folder; undefined where it is missing. */
  readonly file: string | undefined;
  readonly fold: number;
  /**
   * The recording from which the clip was cut. Clips of one source must not be used to evaluate each
   * other.
   */
  readonly source: string;
  readonly category: string;
  /** The number of the class, where the CSV has a column `target`. */
  readonly target: number | undefined;
}

export interface DatasetListing {
  /** Relative to the dataset's folder. */
  readonly csvName: string;
  /** Relative to the dataset's folder, which itself has the empty name. */
  readonly folders: readonly string[];
  readonly rows: readonly DatasetRow[];
  /** Problems of lines in the CSV; these lines are not among `rows`. */
  readonly problems: DatasetProblems;
  /** Whether lines were dropped or must be removed; other problems may only follow from that. */
  readonly isPartial: boolean;
  /** Recordings that the CSV names and that do not exist. */
  readonly missing: DatasetProblems;
  /** Possible mistakes that do not prevent training. */
  readonly warnings: readonly string[];
  /** Whether the CSV has no folds, so that they were assigned (assign-folds.ts). */
  readonly foldsMade: boolean;
}

export interface ReadDatasetOptions {
  /** Relative to the folder; absent: the only CSV with the required columns. */
  readonly csv?: string | undefined;
  /** Whether only lines with `True` in the column `esc10` are read. */
  readonly esc10Only?: boolean | undefined;
  /** Called regularly; stops the reading by throwing. */
  readonly assertWanted?: (() => void) | undefined;
}

/** The name format of ESC-50: fold, number of the recording, take, class. */
const esc50Name = /^\d+-(\d+)-[A-Z]-\d+\.\w+$/;

/**
 * Reads the list of clips from a CSV with the columns `filename` and `category`, and optionally `fold`,
 * `source`, `target` and `esc10` as in ESC-50, and finds the recordings. Without `fold`, folds are
 * assigned, with all clips of one source in one fold. The column `source` names the sources; otherwise
 * names in the format of ESC-50 do; otherwise each clip is a source of its own.
 *
 * This is synchronous and takes a second for 50,000 clips, so a service calls it on a thread.
 * @throws AppError invalid-dataset when there is no such CSV or it cannot be parsed; errors of the file
 * system that the data do not cause
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
      filename,
      file,
      category,
      target,
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

/** Returns the problems of missing recordings; a single sentence where none was found. */
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

/** Returns the source of a clip. The prefixes keep the names of sources and files apart. */
function sourceOf(filename: string, source: string): string {
  if (source !== '') return `source ${cleanClassName(source)}`;
  const recording = esc50Name.exec(path.posix.basename(filename))?.[1];
  return recording === undefined ? `file ${filename}` : `recording ${recording}`;
}

/**
 * Tells whether the CSV marks the clips of ESC-10.
 * @throws AppError invalid-dataset
 */
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
    if (isUserFixable(caught)) throw invalidDataset(folder, [`${csv} cannot be read (${caught.code})`]);
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

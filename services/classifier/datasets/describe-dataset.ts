import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import path from 'node:path';
import type { DatasetDetails } from '../../../shared/contracts/dataset';
import { classesOf } from '../../../shared/datasets/dataset-classes';
import { readDatasetCsv, type DatasetListing, type DatasetRow } from '../../../shared/datasets/dataset-csv';
import { ProblemList, type DatasetProblems } from '../../../shared/datasets/dataset-problems';
import { hashRepeats, repeatWarnings, sizesOf } from '../../../shared/datasets/repeats';
import { AppError } from '../../../shared/errors/app-error';

/** What a dataset's CSV and file list tell, before any clip is decoded. */
export interface DatasetReading extends Omit<DatasetDetails, 'name' | 'problems' | 'problemCount' | 'check'> {
  readonly problems: DatasetProblems;
  /** Paths of the CSV and of all folders, relative to the dataset; empty if it could not be read. */
  readonly places: readonly string[];
  /** A hash that changes when the CSV or the list of clips does. */
  readonly state: string;
}

/** The recordings of a dataset, to be decoded. */
export interface ClipList {
  readonly state: string;
  /** The names in the CSV. */
  readonly filenames: readonly string[];
  /** The paths on the disk, relative to the dataset's folder, in the same order. */
  readonly files: readonly string[];
}

type PlacedRow = DatasetRow & { readonly file: string };

/**
 * Reads a dataset's CSV, finds its recordings and counts them.
 * @returns problems instead of counts where the CSV cannot be read
 * @throws errors that are not the dataset's fault; what `assertWanted` throws
 */
export function describeDataset(folder: string, assertWanted: () => void): DatasetReading {
  let listing: DatasetListing;
  try {
    listing = readDatasetCsv(folder, { assertWanted });
  } catch (caught) {
    return unreadable(problemsOf(caught));
  }
  const { classes, problems, warnings } = classesOf(listing);
  const all = new ProblemList();
  for (const list of [listing.problems, problems, listing.missing]) all.addAll(list);
  const placed = placedRows(listing);
  const sizes = sizesOf(folder, filesOf(placed));
  return {
    ...countClips(listing, classes),
    foldsMade: listing.foldsMade,
    problems: all,
    warnings: [
      ...listing.warnings,
      ...warnings,
      ...repeatWarnings(hashRepeats(folder, placed, sizes, assertWanted)),
    ],
    places: [listing.csvName, ...listing.folders],
    state: stateOf(folder, listing, sizes),
  };
}

/**
 * Lists a dataset's recordings.
 * @throws AppError invalid-dataset; errors that are not the dataset's fault; what `assertWanted` throws
 */
export function listClips(folder: string, assertWanted: () => void): ClipList {
  const listing = readDatasetCsv(folder, { assertWanted });
  const placed = placedRows(listing);
  const files = filesOf(placed);
  return {
    state: stateOf(folder, listing, sizesOf(folder, files)),
    filenames: placed.map(({ filename }) => filename),
    files,
  };
}

function placedRows({ rows }: DatasetListing): PlacedRow[] {
  return rows.filter((row): row is PlacedRow => row.file !== undefined);
}

function filesOf(rows: readonly PlacedRow[]): string[] {
  return rows.map(({ file }) => file);
}

function stateOf(folder: string, { csvName, rows }: DatasetListing, sizes: readonly number[]): string {
  const { mtimeMs } = statSync(path.join(folder, csvName));
  const hash = createHash('sha256').update(`${csvName} ${mtimeMs} ${rows.length} ${sizes.join()}`);
  return hash.digest('hex');
}

/** A manifest cannot hold more classes; a longer list is refused, and reported up to this length. */
const maxListedClasses = 1000;

/** Counts the clips of each class and fold. */
function countClips(
  { rows }: DatasetListing,
  classes: readonly string[],
): Pick<DatasetDetails, 'clips' | 'classCount' | 'foldCount' | 'classes'> {
  const listed = classes.slice(0, maxListedClasses).map((name) => ({ name, clips: 0, folds: emptyCounts() }));
  const byName = new Map(listed.map((entry) => [entry.name, entry]));
  for (const { category, fold } of rows) {
    const entry = byName.get(category);
    if (entry === undefined) continue;
    entry.clips++;
    entry.folds[fold] = (entry.folds[fold] ?? 0) + 1;
  }
  const foldCount = new Set(rows.map(({ fold }) => fold)).size;
  return { clips: rows.length, classCount: classes.length, foldCount, classes: listed };
}

function emptyCounts(): Record<string, number> {
  return {};
}

function unreadable(problems: DatasetProblems): DatasetReading {
  return {
    clips: 0,
    classCount: 0,
    foldCount: 0,
    foldsMade: false,
    classes: [],
    problems,
    warnings: [],
    places: [],
    state: '',
  };
}

/** The problems that an `invalid-dataset` error carries in its details. */
function problemsOf(caught: unknown): DatasetProblems {
  if (!(caught instanceof AppError) || caught.code !== 'invalid-dataset') throw caught;
  const shown = caught.details['problems'] as string[];
  return { shown, count: Number(caught.details['problemCount']) };
}

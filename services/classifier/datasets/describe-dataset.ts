import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import path from 'node:path';
import type { DatasetDetails } from '../../../shared/contracts/dataset';
import { classesOf } from '../../../shared/datasets/dataset-classes';
import { readDatasetCsv, type DatasetListing, type DatasetRow } from '../../../shared/datasets/dataset-csv';
import { ProblemList, type DatasetProblems } from '../../../shared/datasets/dataset-problems';
import { hashRepeats, repeatWarnings, sizesOf } from '../../../shared/datasets/repeats';
import { AppError } from '../../../shared/errors/app-error';

/** What is known of a dataset before any clip is decoded. */
export interface DatasetReading extends Omit<DatasetDetails, 'name' | 'problems' | 'problemCount' | 'check'> {
  readonly problems: DatasetProblems;
  /** The CSV and all folders, relative to the dataset's; none where it could not be read. */
  readonly places: readonly string[];
  /** Another one when the CSV or the list of clips is another. */
  readonly state: string;
}

/** A dataset's recordings, for whoever decodes them. */
export interface ClipList {
  readonly state: string;
  /** As the CSV names them. */
  readonly filenames: readonly string[];
  /** Relative to the dataset's folder, as the disk has them. */
  readonly files: readonly string[];
}

type PlacedRow = DatasetRow & { readonly file: string };

/**
 * Reads a dataset's CSV, finds its recordings and counts them.
 * @throws whatever is not the dataset's fault; what `assertWanted` throws
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
  for (const some of [listing.problems, problems, listing.missing]) all.addAll(some);
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

/** @throws AppError invalid-dataset; what is not the dataset's fault; what `assertWanted` throws */
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

/** A list of more classes than a manifest holds is refused, and need not be told whole. */
const maxTold = 1000;

/** Counts a class and fold. */
function countClips(
  { rows }: DatasetListing,
  classes: readonly string[],
): Pick<DatasetDetails, 'clips' | 'classCount' | 'foldCount' | 'classes'> {
  const told = classes.slice(0, maxTold).map((name) => ({ name, clips: 0, folds: emptyCounts() }));
  const byName = new Map(told.map((entry) => [entry.name, entry]));
  for (const { category, fold } of rows) {
    const entry = byName.get(category);
    if (entry === undefined) continue;
    entry.clips++;
    entry.folds[fold] = (entry.folds[fold] ?? 0) + 1;
  }
  const foldCount = new Set(rows.map(({ fold }) => fold)).size;
  return { clips: rows.length, classCount: classes.length, foldCount, classes: told };
}

function emptyCounts(): Record<string, number> {
  return {};
}

function unreadable(problems: DatasetProblems): DatasetReading {
  return {
    ...{ clips: 0, classCount: 0, foldCount: 0, foldsMade: false, classes: [] },
    ...{ problems, warnings: [], places: [], state: '' },
  };
}

/** What `invalid-dataset` says of itself. */
function problemsOf(caught: unknown): DatasetProblems {
  if (!(caught instanceof AppError) || caught.code !== 'invalid-dataset') throw caught;
  const shown = caught.details['problems'] as string[];
  return { shown, count: Number(caught.details['problemCount']) };
}

import { stat } from 'node:fs/promises';
import { classesOf } from '../../../shared/datasets/dataset-classes';
import { findClip } from '../../../shared/datasets/clip-file';
import { readDatasetCsv, type DatasetListing } from '../../../shared/datasets/dataset-csv';
import type { DatasetDetails } from '../../../shared/contracts/dataset';
import { AppError } from '../../../shared/errors/app-error';

/** A dataset's CSV, and what is wrong with it before any clip is decoded. */
export interface ReadDataset {
  readonly listing: DatasetListing;
  readonly problems: readonly string[];
  /** Another one when the CSV or the list of clips is another. */
  readonly state: string;
}

/** @throws AppError invalid-dataset (details.problems) when there is nothing that can be read as one */
export async function readDataset(folder: string): Promise<ReadDataset> {
  const listing = await readDatasetCsv(folder, undefined, false);
  const missing: string[] = [];
  const sizes: string[] = [];
  for (const { filename } of listing.rows) {
    const found = await findClip(folder, listing.csvFile, filename);
    if (found === undefined) missing.push(`${filename} is missing`);
    sizes.push(String(found?.bytes));
  }
  const { mtimeMs } = await stat(listing.csvFile);
  const problems = [...listing.problems, ...classesOf(listing.rows).problems, ...missing];
  return { listing, problems, state: `${mtimeMs} ${sizes.join()}` };
}

/** Counts a class and fold. */
export function countClips({
  rows,
}: DatasetListing): Pick<DatasetDetails, 'clips' | 'classCount' | 'foldCount' | 'classes'> {
  const classes = classesOf(rows).classes.map((name) => ({
    name,
    clips: 0,
    folds: emptyCounts(),
  }));
  const byName = new Map(classes.map((entry) => [entry.name, entry]));
  for (const { category, fold } of rows) {
    const entry = byName.get(category)!;
    entry.clips++;
    entry.folds[fold] = (entry.folds[fold] ?? 0) + 1;
  }
  const foldCount = new Set(rows.map(({ fold }) => fold)).size;
  return { clips: rows.length, classCount: classes.length, foldCount, classes };
}

function emptyCounts(): Record<string, number> {
  return {};
}

/** What `invalid-dataset` says of itself, one line a problem. */
export function problemsOf(caught: unknown): string[] {
  if (caught instanceof AppError && caught.code === 'invalid-dataset') {
    return caught.details['problems'] as string[];
  }
  throw caught;
}

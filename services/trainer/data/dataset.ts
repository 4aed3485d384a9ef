import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ClipDecoder } from '../../../shared/signal/clip';
import { windowSamples } from '../../../shared/contracts/front-end';
import type { WindowFormat } from '../../../shared/contracts/members';
import { AppError } from '../../../shared/errors/app-error';
import { usableCores } from '../../../shared/runtime/usable-cores';
import { sha256 } from './checked-file';
import { type ClipCache, openClipCache } from './clip-cache';
import { isClipFault, maxClipBytes, maxClipSeconds } from '../../../shared/datasets/clip-file';
import { isOtherCategory } from '../../../shared/datasets/class-name';
import { classesOf } from '../../../shared/datasets/dataset-classes';
import { type DatasetListing, type DatasetRow, readDatasetCsv } from '../../../shared/datasets/dataset-csv';
import { invalidDataset, ProblemList, shownValue } from '../../../shared/datasets/dataset-problems';
import { isUserFixable } from '../../../shared/datasets/file-index';
import { repeatWarnings, type HashedClip } from '../../../shared/datasets/repeats';

/** A recording, ready for the network. */
export interface LabelledClip {
  readonly filename: string;
  readonly fold: number;
  /** What it was cut from: clips of one source are of one sound. */
  readonly source: string;
  /** Index into the dataset's classes. */
  readonly label: number;
  /**
   * One window at most, mono at the front end's rate: longer recordings are cut. Shorter ones are as
   * they are, for the front end to complete as it does for whoever asks the service
   * (shared/front-end/window-inputs.ts).
   */
  readonly samples: Float32Array;
}

export interface Dataset {
  /** The classes, in the order of `target` where the CSV has it, else in alphabetical order. */
  readonly classes: readonly string[];
  /**
   * The clips, sorted by filename, so that the same data are the same sequence however the CSV is
   * sorted.
   */
  readonly clips: readonly LabelledClip[];
  /**
   * Recordings of the category `unknown`: none of the classes, to judge and to set the threshold of
   * `unknown` by.
   */
  readonly others: readonly Pick<LabelledClip, 'filename' | 'samples'>[];
  /** The CSV has no folds: they were made (shared/datasets/assign-folds.ts). */
  readonly foldsMade: boolean;
  /** What may not be meant, and keeps nothing from being trained. */
  readonly warnings: readonly string[];
  /** sha256 over every clip's name, fold, category and content hash. */
  readonly fingerprint: string;
}

export interface LoadDatasetOptions {
  /** Holds the CSV (or `meta/` with it) and the recordings, beside it or in `audio/`. */
  readonly folder: string;
  /** Relative to the folder; only needed where several CSV files could be meant. */
  readonly csv?: string | undefined;
  /** Only the lines of ESC-50 that make up ESC-10. */
  readonly esc10Only?: boolean | undefined;
  /** What a clip becomes: one window at most. */
  readonly format: WindowFormat;
  readonly decoder: ClipDecoder;
  readonly cacheFolder: string;
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads a dataset: ESC-50 as it is distributed, or any folder with recordings and a CSV of `filename`,
 * `fold` and `category`.
 *
 * @throws AppError invalid-dataset naming everything that is wrong with it, cancelled,
 *   invalid-configuration
 */
export async function loadDataset(options: LoadDatasetOptions): Promise<Dataset> {
  const listing = readDatasetCsv(options.folder, options);
  const isOther = ({ category }: DatasetRow): boolean => isOtherCategory(category);
  const { classes, problems, warnings } = classesOf(listing);
  const { loaded, faults } = await loadClips(listing, options);
  const all = new ProblemList();
  for (const list of [listing.problems, problems, listing.missing]) all.addAll(list);
  for (const fault of faults) all.add(fault);
  if (all.count > 0) throw invalidDataset(options.folder, all);
  const ordered = loaded.sort((a, b) => (a.row.filename < b.row.filename ? -1 : 1));
  return {
    classes,
    foldsMade: listing.foldsMade,
    warnings: [...listing.warnings, ...warnings, ...repeatWarnings(ordered.map(repeatable))],
    clips: ordered
      .filter(({ row }) => !isOther(row))
      .map(({ row, samples }) => ({
        filename: row.filename,
        fold: row.fold,
        source: row.source,
        label: classes.indexOf(row.category),
        samples,
      })),
    others: ordered
      .filter(({ row }) => isOther(row))
      .map(({ row: { filename }, samples }) => ({ filename, samples })),
    fingerprint: sha256(
      ordered
        .map(({ row, contentHash }) => JSON.stringify([row.filename, row.fold, row.category, contentHash]))
        .join('\n'),
    ).toString('hex'),
  };
}

interface LoadedClip {
  readonly row: DatasetRow & { readonly file: string };
  readonly contentHash: string;
  readonly samples: Float32Array;
}

function repeatable({ row, contentHash }: LoadedClip): HashedClip {
  return { ...row, hash: contentHash };
}

/** Decodes the clips that are there. */
async function loadClips(
  listing: DatasetListing,
  options: LoadDatasetOptions,
): Promise<{ loaded: LoadedClip[]; faults: string[] }> {
  const { format, onProgress, signal } = options;
  const rows = listing.rows.filter((row): row is LoadedClip['row'] => row.file !== undefined);
  const samples = windowSamples(format);
  const cache = await openClipCache(options.cacheFolder, {
    sampleRate: format.sampleRate,
    samples,
    removeOffset: format.removesOffset,
  });
  const results: (LoadedClip | string)[] = [];
  let next = 0;
  let done = 0;
  const worker = async (): Promise<void> => {
    while (next < rows.length) {
      const index = next++;
      try {
        if (signal?.aborted) throw new AppError('cancelled', 'Loading the dataset was cancelled.');
        results[index] = await loadClip(rows[index]!, cache, options);
      } catch (caught) {
        next = rows.length; // The other workers stop after the clip they have in hand.
        throw caught;
      }
      onProgress?.({ done: ++done, total: rows.length });
    }
  };
  // One clip more than there are threads: while it is read from disk, the others are decoded.
  const workers = Array.from({ length: usableCores() + 1 }, worker);
  const failed = (await Promise.allSettled(workers)).find((outcome) => outcome.status === 'rejected');
  if (failed) throw failed.reason;
  return {
    loaded: results.filter((result) => typeof result !== 'string'),
    faults: results.filter((result) => typeof result === 'string'),
  };
}

/** @returns the clip, or what is wrong with it */
async function loadClip(
  row: LoadedClip['row'],
  cache: ClipCache,
  { folder, format, decoder, signal }: LoadDatasetOptions,
): Promise<LoadedClip | string> {
  const file = path.join(folder, row.file);
  const name = shownValue(row.filename);
  try {
    if ((await stat(file)).size > maxClipBytes) return `${name} is larger than ${maxClipBytes} bytes`;
    const bytes = await readFile(file);
    const contentHash = sha256(bytes).toString('hex');
    const cached = await cache.load(contentHash);
    if (cached) return { row, contentHash, samples: cached };
    const clip = await decoder.decode(bytes, {
      sampleRate: format.sampleRate,
      removeOffset: format.removesOffset,
      maxSeconds: maxClipSeconds,
      ...(signal ? { signal } : {}),
    });
    const samples = clip.samples.slice(0, windowSamples(format));
    await cache.store(contentHash, samples);
    return { row, contentHash, samples };
  } catch (caught) {
    if (isUserFixable(caught)) return `${name} cannot be read: ${caught.message}`;
    if (!isClipFault(caught)) throw caught;
    return `${name}: ${caught.message}`;
  }
}

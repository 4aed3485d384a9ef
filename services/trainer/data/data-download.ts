import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { download, reasonOf } from '../../../shared/download/download';
import { AppError } from '../../../shared/errors/app-error';
import { ifAbsent } from '../../../shared/errors/machine-fault';
import { readDatasetCsv } from '../../../shared/datasets/dataset-csv';
import { unzip } from '../../../shared/datasets/unzip';
import { flagOf } from '../options/command-line';

/** ESC-50 (and in it ESC-10) as its author distributes it; some 600 MB. */
export const esc50Url = 'https://github.com/karolpiczak/ESC-50/archive/refs/heads/master.zip';

export type DownloadProgress =
  | { readonly phase: 'download'; readonly bytes: number; readonly totalBytes: number | undefined }
  | { readonly phase: 'unpack'; readonly done: number; readonly total: number };

export interface DownloadOptions {
  readonly url: string;
  /** Appears complete or not at all. */
  readonly folder: string;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** A connection that brings nothing for so long is given up. */
  readonly idleMs?: number | undefined;
}

const maxArchiveBytes = 2 * 2 ** 30;
const maxUnpackedBytes = 4 * 2 ** 30;

/**
 * Downloads and unpacks ESC-50. The server names neither a size nor a checksum for this archive and
 * cannot resume, so a broken download starts again; what arrived is checked by the archive's own CRCs,
 * and by every clip of its CSV being there. Does nothing when the folder holds a complete ESC-50
 * already.
 *
 * @throws AppError invalid-dataset with what to do instead, cancelled
 */
export async function downloadEsc50(options: DownloadOptions): Promise<void> {
  const { url, onProgress, signal } = options;
  const folder = path.resolve(options.folder); // A trailing slash would put the scratch folder inside.
  const present = await readdir(folder).catch(ifAbsent([]));
  if (present.length > 0) {
    const missing = whatIsMissing(folder);
    if (missing === undefined) return;
    throw refuse(`${folder} is in the way: ${missing}. Move it away and try again.`);
  }
  const scratch = `${folder}.partial`;
  const unpacked = path.join(scratch, 'ESC-50');
  const zipFile = path.join(scratch, 'archive.zip');
  try {
    await rm(scratch, { recursive: true, force: true });
    await mkdir(unpacked, { recursive: true });
    await fetchArchive(options, zipFile);
    await unzip({
      zipFile,
      folder: unpacked,
      place: () => placeOf,
      maxBytes: maxUnpackedBytes,
      maxFiles: 10_000,
      onEntry: (progress) => onProgress?.({ phase: 'unpack', ...progress }),
      signal,
    });
    const missing = whatIsMissing(unpacked);
    if (missing !== undefined) throw new Error(`what arrived is no ESC-50: ${missing}`);
    await rename(unpacked, folder);
  } catch (caught) {
    if (signal?.aborted) throw new AppError('cancelled', 'The download was cancelled.');
    const advice = `Download it by other means, unpack it and name its folder with ${flagOf('data')} or DATA_DIR.`;
    throw refuse(`ESC-50 could not be had from ${url}: ${reasonOf(caught)}. ${advice}`, caught);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function fetchArchive(
  { url, onProgress, signal, idleMs = 60_000 }: DownloadOptions,
  file: string,
): Promise<void> {
  const chunks = download(url, {
    maxBytes: maxArchiveBytes,
    idleMs,
    signal,
    onBytes: (bytes, totalBytes) => onProgress?.({ phase: 'download', bytes, totalBytes }),
  });
  await pipeline(chunks, createWriteStream(file), signal === undefined ? {} : { signal });
}

/**
 * The archive's one top folder goes; of the rest, what makes up the dataset and says whose it is stays.
 */
function placeOf(entryName: string): string | undefined {
  const name = entryName.replace(/^[^/]*\//, '');
  return /^(audio\/.+\.wav|meta\/.+\.csv|LICENSE|README\.md)$/.test(name) ? name : undefined;
}

/** @returns what keeps a folder from being a complete ESC-50, or undefined when nothing does */
function whatIsMissing(folder: string): string | undefined {
  try {
    const { problems, missing } = readDatasetCsv(folder, { csv: 'meta/esc50.csv' });
    return problems.shown[0] ?? missing.shown[0];
  } catch {
    return 'it has no meta/esc50.csv that can be read';
  }
}

function refuse(message: string, cause?: unknown): AppError {
  return new AppError('invalid-dataset', message, { cause });
}

import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { DatasetDetails } from '../../../shared/contracts/dataset';
import type { DatasetListing } from '../../../shared/datasets/dataset-csv';
import { countClips, type ReadDataset } from './describe-dataset';

/** What a listing of datasets says of one; clips that were decoded since may have added to the problems. */
export interface Summary extends Pick<DatasetDetails, 'clips' | 'classCount' | 'foldCount'> {
  /** Found without decoding a clip. */
  readonly problemCount: number;
  readonly state: string;
}

interface Remembered {
  readonly summary: Summary;
  /** The CSV, and every folder that a clip may be in. */
  readonly places: readonly string[];
  readonly stamp: string;
}

/** A file that changed so recently may change again within its time stamp's precision. */
const settledMs = 2000;

/** Summaries of datasets by folder, so that a list of them reads no CSV that was read before and did not change. */
export class Summaries {
  readonly #remembered = new Map<string, Remembered>();

  /** Undefined: it was never read, or has changed since. */
  async find(folder: string): Promise<Summary | undefined> {
    const known = this.#remembered.get(folder);
    if (known === undefined) return undefined;
    const { stamp } = await stampOf(known.places);
    if (stamp === known.stamp) return known.summary;
    this.#remembered.delete(folder);
    return undefined;
  }

  /** Reads a dataset by `read` and remembers what a list says of it. */
  async reading(folder: string, read: () => Promise<ReadDataset>): Promise<ReadDataset> {
    const startedMs = Date.now();
    const found = await read();
    const places = placesOf(folder, found.listing);
    const { stamp, newestMs } = await stampOf(places);
    if (newestMs < startedMs - settledMs) {
      const { clips, classCount, foldCount } = countClips(found.listing);
      const summary = {
        clips,
        classCount,
        foldCount,
        problemCount: found.problems.length,
        state: found.state,
      };
      this.#remembered.set(folder, { summary, places, stamp });
    }
    return found;
  }

  forget(folder: string): void {
    this.#remembered.delete(folder);
  }
}

function placesOf(folder: string, { csvFile, rows }: DatasetListing): string[] {
  const roots = [path.join(folder, 'audio'), path.dirname(csvFile), folder];
  const below = new Set(rows.map(({ filename }) => path.dirname(filename)));
  const folders = roots.flatMap((root) => [...below].map((name) => path.join(root, name)));
  return [...new Set([csvFile, folder, path.join(folder, 'meta'), ...folders])];
}

/** Another one when a place was changed, came or went: a folder changes when a file in it comes or goes. */
async function stampOf(places: readonly string[]): Promise<{ stamp: string; newestMs: number }> {
  const found = await Promise.all(places.map((place) => stat(place).catch(() => undefined)));
  const times = found.flatMap((entry) => (entry === undefined ? [] : [entry.mtimeMs, entry.ctimeMs]));
  const parts = found.map((entry) =>
    entry === undefined ? '' : `${entry.ino} ${entry.size} ${entry.mtimeMs} ${entry.ctimeMs}`,
  );
  return { stamp: parts.join(), newestMs: Math.max(...times) };
}

import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { DatasetReading } from './describe-dataset';

interface Remembered {
  readonly reading: DatasetReading;
  readonly stamp: string;
}

/**
 * A reading is remembered only if its files are older than this: a file that changed more recently may
 * change again without a new time stamp.
 */
const settledMs = 2000;
const maxRemembered = 1000;
/** Number of `stat` calls at a time. */
const statsAtOnce = 32;

/**
 * Cache of dataset readings by folder. A dataset that did not change is not read again, and concurrent
 * requests for one dataset share one reading.
 */
export class DatasetReadings {
  readonly #read: (folder: string) => Promise<DatasetReading>;
  readonly #remembered = new Map<string, Remembered>();
  readonly #pending = new Map<string, Promise<DatasetReading>>();

  constructor(read: (folder: string) => Promise<DatasetReading>) {
    this.#read = read;
  }

  /** Returns the reading of a folder. @throws what the constructor's `read` throws */
  async get(folder: string): Promise<DatasetReading> {
    const running = this.#pending.get(folder);
    if (running !== undefined) return running;
    const pending = this.#find(folder).finally(() => this.#pending.delete(folder));
    this.#pending.set(folder, pending);
    return pending;
  }

  forget(folder: string): void {
    this.#remembered.delete(folder);
    this.#pending.delete(folder);
  }

  async #find(folder: string): Promise<DatasetReading> {
    const known = this.#remembered.get(folder);
    if (known !== undefined) {
      const { stamp } = await stampOf(folder, known.reading.places);
      if (stamp === known.stamp) return known.reading;
      this.#remembered.delete(folder);
    }
    const startedMs = Date.now();
    const before = await stampOf(folder, ['']);
    const reading = await this.#read(folder);
    if (reading.places.length === 0) return reading;
    const after = await stampOf(folder, ['']);
    const { stamp, newestMs } = await stampOf(folder, reading.places);
    // The dataset may have been deleted meanwhile and another one created under its name.
    if (before.stamp === after.stamp && newestMs < startedMs - settledMs) {
      const [oldest] = this.#remembered.keys();
      if (this.#remembered.size >= maxRemembered && oldest !== undefined) this.#remembered.delete(oldest);
      this.#remembered.set(folder, { reading, stamp });
    }
    return reading;
  }
}

/**
 * Text that changes when one of the places is changed, added or removed. A folder's own time stamp
 * changes when a file in it is added or removed.
 */
async function stampOf(
  folder: string,
  places: readonly string[],
): Promise<{ stamp: string; newestMs: number }> {
  const parts: string[] = [];
  let newestMs = 0;
  for (let start = 0; start < places.length; start += statsAtOnce) {
    const group = places.slice(start, start + statsAtOnce);
    const found = await Promise.all(
      group.map((place) => stat(path.join(folder, place)).catch(() => undefined)),
    );
    for (const entry of found) {
      newestMs = Math.max(newestMs, entry?.mtimeMs ?? 0, entry?.ctimeMs ?? 0);
      parts.push(entry === undefined ? '' : `${entry.ino} ${entry.size} ${entry.mtimeMs} ${entry.ctimeMs}`);
    }
  }
  return { stamp: parts.join(), newestMs };
}

import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { DatasetReading } from './describe-dataset';

interface Remembered {
  readonly reading: DatasetReading;
  readonly stamp: string;
}

/** A file that changed so recently may change again within its time stamp's precision. */
const settledMs = 2000;
const maxRemembered = 1000;
/** Asked of the file system at a time. */
const statsAtOnce = 32;

/**
 * What was read of datasets, by folder: one that did not change is not read again, and one that is asked for while it is being
 * read is read once.
 */
export class DatasetReadings {
  readonly #read: (folder: string) => Promise<DatasetReading>;
  readonly #remembered = new Map<string, Remembered>();
  readonly #asked = new Map<string, Promise<DatasetReading>>();

  constructor(read: (folder: string) => Promise<DatasetReading>) {
    this.#read = read;
  }

  /** @throws as `read` does */
  async of(folder: string): Promise<DatasetReading> {
    const begun = this.#asked.get(folder);
    if (begun !== undefined) return begun;
    const asked = this.#find(folder).finally(() => this.#asked.delete(folder));
    this.#asked.set(folder, asked);
    return asked;
  }

  forget(folder: string): void {
    this.#remembered.delete(folder);
    this.#asked.delete(folder);
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
    // Another dataset may have come under the name of one that was deleted meanwhile.
    if (before.stamp === after.stamp && newestMs < startedMs - settledMs) {
      const [oldest] = this.#remembered.keys();
      if (this.#remembered.size >= maxRemembered && oldest !== undefined) this.#remembered.delete(oldest);
      this.#remembered.set(folder, { reading, stamp });
    }
    return reading;
  }
}

/** Another one when a place was changed, came or went: a folder changes when a file in it comes or goes. */
async function stampOf(
  folder: string,
  places: readonly string[],
): Promise<{ stamp: string; newestMs: number }> {
  const parts: string[] = [];
  let newestMs = 0;
  for (let at = 0; at < places.length; at += statsAtOnce) {
    const group = places.slice(at, at + statsAtOnce);
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

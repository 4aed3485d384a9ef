import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import path from 'node:path';
import type { DatasetRow } from './dataset-csv';
import { shownValue } from './dataset-problems';

type Clip = Pick<DatasetRow, 'filename' | 'fold' | 'category'>;

export interface HashedClip extends Clip {
  /** Hash of the file's bytes. */
  readonly hash: string;
}

interface PlacedClip extends Clip {
  readonly file: string;
}

const maxShown = 20;
/**
 * Bytes that are compared first. Different recordings of equal length differ here, unless they are
 * silent.
 */
const probeBytes = 4096;
const chunkBytes = 2 ** 20;

/** Returns warnings about recordings that are equal byte for byte but listed as several. */
export function repeatWarnings(clips: readonly HashedClip[]): string[] {
  const warnings: string[] = [];
  let omittedCount = 0;
  for (const group of groupBy(clips, ({ hash }) => hash)) {
    const found = warningOf(group);
    if (found === undefined) continue;
    if (warnings.length < maxShown) warnings.push(found);
    else omittedCount++;
  }
  return omittedCount === 0
    ? warnings
    : [...warnings, `and ${omittedCount} more recordings are there several times`];
}

function warningOf(group: readonly HashedClip[]): string | undefined {
  const [first] = group;
  const otherFold = group.find(({ fold }) => fold !== first!.fold);
  const otherClass = group.find(({ category }) => category !== first!.category);
  const same = (other: HashedClip): string =>
    `${shownValue(first!.filename)} and ${shownValue(other.filename)} are the same recording` +
    (group.length > 2 ? `, there ${group.length} times` : '');
  if (otherFold !== undefined) {
    const folds = `folds ${first!.fold} and ${otherFold.fold}`;
    return `${same(otherFold)}, in ${folds}: a test would hear what was trained on`;
  }
  if (otherClass === undefined) return undefined;
  return `${same(otherClass)}, as ${shownValue(first!.category)} and as ${shownValue(otherClass.category)}`;
}

/**
 * Returns the SHA-256 of each recording that equals another one. Only files of equal length are opened,
 * and only those with the same bytes in the middle are read completely.
 * @param sizes length of each file in bytes
 * @param assertWanted called regularly; stops by throwing
 */
export function hashRepeats(
  folder: string,
  clips: readonly PlacedClip[],
  sizes: readonly number[],
  assertWanted: () => void,
): HashedClip[] {
  const buffer = Buffer.alloc(chunkBytes);
  const probed = groupBy(
    clips.map((clip, at) => ({ clip, size: sizes[at]! })),
    ({ size }) => String(size),
  ).flatMap((group) => {
    if (group.length === 1) return [];
    return groupBy(group, ({ clip, size }) => {
      assertWanted();
      const from = Math.max(0, Math.floor((size - probeBytes) / 2));
      return hashFile(path.join(folder, clip.file), from, Math.min(size, probeBytes), buffer, assertWanted);
    });
  });
  return probed.flatMap((group) => {
    if (group.length === 1) return [];
    return group.map(({ clip, size }) => ({
      ...clip,
      hash: hashFile(path.join(folder, clip.file), 0, size, buffer, assertWanted),
    }));
  });
}

function hashFile(
  file: string,
  from: number,
  length: number,
  buffer: Buffer,
  assertWanted: () => void,
): string {
  const hash = createHash('sha256');
  const descriptor = openSync(file, 'r');
  try {
    for (let done = 0; done < length;) {
      assertWanted();
      const read = readSync(descriptor, buffer, 0, Math.min(buffer.length, length - done), from + done);
      if (read === 0) break;
      hash.update(buffer.subarray(0, read));
      done += read;
    }
  } finally {
    closeSync(descriptor);
  }
  return hash.digest('hex');
}

/** Returns the length of each file in bytes. */
export function sizesOf(folder: string, files: readonly string[]): number[] {
  return files.map((file) => statSync(path.join(folder, file)).size);
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return [...groups.values()];
}

import { readVint, vintLength } from './ebml';

/** The header of a block, before its frames (RFC 9559, section 10.1). */
export interface BlockHead {
  readonly track: number;
  /** The time in ticks, relative to the timestamp of the cluster. */
  readonly relativeTicks: number;
  readonly lacing: 'none' | 'xiph' | 'fixed' | 'ebml';
  /** Offset of the frames, or of the lacing header. */
  readonly bytes: number;
}

const lacings = ['none', 'xiph', 'fixed', 'ebml'] as const;
/** A track number of up to 8 bytes, a timestamp of 2, and flags. */
export const maxBlockHeadBytes = 11;

/** Returns undefined where the block is too short for a header. */
export function parseBlockHead(block: Uint8Array): BlockHead | undefined {
  const numberLength = vintLength(block[0], 8);
  if (numberLength === undefined || block.length < numberLength + 3) return undefined;
  const track = readVint(block, 0, numberLength, false);
  if (track === undefined) return undefined;
  const ticks = (block[numberLength]! << 8) | block[numberLength + 1]!;
  const lacing = lacings[((block[numberLength + 2]! >> 1) & 3) as 0 | 1 | 2 | 3];
  return { track, relativeTicks: (ticks << 16) >> 16, lacing, bytes: numberLength + 3 };
}

interface Sizes {
  /** Sizes of all frames but the last. */
  readonly sizes: readonly number[];
  readonly end: number;
}

function xiphSizes(block: Uint8Array, start: number, count: number): Sizes | undefined {
  const sizes: number[] = [];
  let at = start;
  while (sizes.length < count) {
    let size = 0;
    let byte;
    do {
      byte = block[at];
      if (byte === undefined) return undefined;
      at += 1;
      size += byte;
    } while (byte === 255);
    sizes.push(size);
  }
  return { sizes, end: at };
}

/** Reads EBML lacing: the first size is absolute, the others are differences. */
function ebmlSizes(block: Uint8Array, start: number, count: number): Sizes | undefined {
  const sizes: number[] = [];
  let at = start;
  while (sizes.length < count) {
    const length = vintLength(block[at], 8);
    if (length === undefined || at + length > block.length) return undefined;
    const value = readVint(block, at, length, false);
    if (value === undefined) return undefined;
    const before = sizes.at(-1);
    const size = before === undefined ? value : before + value - (2 ** (7 * length - 1) - 1);
    if (size < 0) return undefined;
    sizes.push(size);
    at += length;
  }
  return { sizes, end: at };
}

function fixedSizes(block: Uint8Array, start: number, count: number): Sizes | undefined {
  const size = (block.length - start) / (count + 1);
  return Number.isInteger(size) ? { sizes: new Array<number>(count).fill(size), end: start } : undefined;
}

/**
 * Returns copies of the frames of a block, some of which may be empty; undefined where its lacing is
 * inconsistent.
 */
export function framesOfBlock(block: Uint8Array, { lacing, bytes }: BlockHead): Uint8Array[] | undefined {
  if (lacing === 'none') return [block.slice(bytes)];
  const count = block[bytes];
  if (count === undefined) return undefined;
  const readSizes = { xiph: xiphSizes, ebml: ebmlSizes, fixed: fixedSizes }[lacing];
  const found = readSizes(block, bytes + 1, count);
  if (found === undefined) return undefined;
  const frames: Uint8Array[] = [];
  let at = found.end;
  for (const size of found.sizes) {
    frames.push(block.slice(at, at + size));
    at += size;
  }
  if (at > block.length) return undefined;
  frames.push(block.slice(at));
  return frames;
}

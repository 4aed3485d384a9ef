import { AppError } from '../../errors/app-error';

/**
 * The size of the codebooks in a Vorbis setup header (Vorbis I, 3.2.1). A few bytes can ask for millions
 * of entries, which the decoder sorts and computes in one call that cannot be interrupted.
 */
export interface VorbisSetup {
  readonly entries: number;
  /** Number of values in the vectors of all entries. */
  readonly values: number;
}

/** Limits. The codebooks of real encoders have about 10,000 entries with 40,000 values in total. */
const maxEntries = 1 << 19;
const maxValues = 1 << 21;
const maxCodewordLength = 32;
const codebookSync = 0x564342;
/** The first byte after the packet type and `vorbis`. */
const firstByte = 7;

/** Reads bits from the least significant bit of each byte on, as in Vorbis. */
class LowBitReader {
  readonly #bytes: Uint8Array;
  #at = firstByte * 8;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isExhausted(): boolean {
    return this.#at > this.#bytes.length * 8;
  }

  /** @param bits at most 32 */
  read(bits: number): number {
    let value = 0;
    for (let bit = 0; bit < bits; bit += 1, this.#at += 1) {
      const set = ((this.#bytes[this.#at >>> 3] ?? 0) >>> (this.#at & 7)) & 1;
      value += set * 2 ** bit;
    }
    return value;
  }

  skip(bits: number): void {
    this.#at += bits;
  }
}

/** Returns the number of bits of `value`. */
const bitsOf = (value: number): number => (value === 0 ? 0 : 32 - Math.clz32(value));

/** Skips the codeword lengths, which are stored in ascending order or entry by entry. */
function skipLengths(reader: LowBitReader, entries: number): void {
  if (reader.read(1) === 1) {
    reader.skip(5);
    for (let known = 0, length = 1; known < entries && length <= maxCodewordLength; length += 1) {
      known += reader.read(bitsOf(entries - known));
    }
    return;
  }
  if (reader.read(1) === 0) {
    reader.skip(5 * entries);
    return;
  }
  for (let entry = 0; entry < entries && !reader.isExhausted; entry += 1) {
    if (reader.read(1) === 1) reader.skip(5);
  }
}

/** Returns the greatest integer whose `dimensions`-th power is at most `entries`. */
function lookupValues(entries: number, dimensions: number): number {
  let values = Math.floor(entries ** (1 / dimensions));
  while ((values + 1) ** dimensions <= entries) values += 1;
  while (values ** dimensions > entries) values -= 1;
  return values;
}

/**
 * Reads the size of the codebooks as far as the header can be parsed; the decoder reports other errors
 * in it.
 * @throws AppError undecodable-audio when it exceeds the limits
 */
export function readVorbisSetup(setup: Uint8Array): VorbisSetup {
  const reader = new LowBitReader(setup);
  const books = reader.read(8) + 1;
  let [allEntries, allValues] = [0, 0];
  for (let book = 0; book < books && reader.read(24) === codebookSync; book += 1) {
    const dimensions = reader.read(16);
    const entries = reader.read(24);
    allEntries += entries;
    allValues += entries * dimensions;
    if (allEntries > maxEntries || allValues > maxValues) throw tooLargeError();
    skipLengths(reader, entries);
    const lookup = reader.read(4);
    if (lookup === 0 || dimensions === 0) continue;
    reader.skip(64);
    const bits = reader.read(4) + 1;
    reader.skip(1 + bits * (lookup === 1 ? lookupValues(entries, dimensions) : entries * dimensions));
    if (reader.isExhausted) break;
  }
  return { entries: allEntries, values: allValues };
}

function tooLargeError(): AppError {
  return new AppError(
    'undecodable-audio',
    'The Vorbis header asks for larger tables than any encoder writes; export the recording again.',
  );
}

import { AppError } from '../../errors/app-error';

/**
 * How much a Vorbis setup header makes its decoder build: its codebooks (Vorbis I, 3.2.1). A few bytes can ask for millions of entries,
 * which are sorted and computed in one call that nobody can stop.
 */
export interface VorbisSetup {
  readonly entries: number;
  /** Numbers in the vectors of all entries. */
  readonly values: number;
}

/** Encoders' codebooks have some 10,000 entries together, of some 40,000 numbers. */
const mostEntries = 1 << 19;
const mostValues = 1 << 21;
const mostLength = 32;
const codebookSync = 0x564342;
/** Behind the packet's type and `vorbis`. */
const firstByte = 7;

/** Reads bits from the lowest of each byte up, as Vorbis writes them. */
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

/** Bits that a number takes. */
const bitsOf = (value: number): number => (value === 0 ? 0 : 32 - Math.clz32(value));

/** The codewords' lengths, in order or one by one. */
function skipLengths(reader: LowBitReader, entries: number): void {
  if (reader.read(1) === 1) {
    reader.skip(5);
    for (let known = 0, length = 1; known < entries && length <= mostLength; length += 1) {
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

/** The greatest whole number whose `dimensions`-th power is at most `entries`. */
function lookupValues(entries: number, dimensions: number): number {
  let values = Math.floor(entries ** (1 / dimensions));
  while ((values + 1) ** dimensions <= entries) values += 1;
  while (values ** dimensions > entries) values -= 1;
  return values;
}

/**
 * What the header asks for, as far as it can be read: what is broken in it, the decoder says.
 * @throws AppError undecodable-audio when it is more than any encoder asks for
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
    if (allEntries > mostEntries || allValues > mostValues) throw tooMuch();
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

function tooMuch(): AppError {
  return new AppError(
    'undecodable-audio',
    'The Vorbis header asks for larger tables than any encoder writes; export the recording again.',
  );
}

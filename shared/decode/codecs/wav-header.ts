import { textAt, viewOf, hasTextAt } from '../bytes/bytes';
import { damaged } from '../bytes/damaged';
import { isRiff } from '../signatures';
import { parseWavFormat, type WavFormat } from './wav-format';

export interface WavHeader extends WavFormat {
  readonly dataOffset: number;
  /** Bytes of sound that are really there, perhaps with a broken frame at the end. */
  readonly dataBytes: number;
}

const unknownSizes: readonly number[] = [0, 0xffffffff];

const isChunkId = (bytes: Uint8Array, offset: number): boolean =>
  offset + 8 <= bytes.length &&
  bytes.subarray(offset, offset + 4).every((byte) => byte >= 0x20 && byte < 0x7f);

/** Whether the bytes from `offset` to the end are nothing but whole chunks. */
function isChunkSequence(bytes: Uint8Array, offset: number, isBigEndian: boolean): boolean {
  const view = viewOf(bytes);
  let at = offset;
  while (isChunkId(bytes, at)) at = nextChunk(bytes, at + 8, view.getUint32(at + 4, !isBigEndian));
  return at === bytes.length;
}

const writtenBehindOddChunks = ['data', 'fmt ', 'fact', 'LIST', 'bext', 'id3 '];

/** Chunks start at even places, but some writers forget the padding byte after an odd one. */
function nextChunk(bytes: Uint8Array, start: number, size: number): number {
  const end = start + size;
  const isPadded = size % 2 === 1 && !writtenBehindOddChunks.includes(textAt(bytes, end, 4));
  return isPadded ? end + 1 : end;
}

/** A data chunk as it claims to be. */
interface SoundChunk {
  readonly offset: number;
  readonly claimedBytes: number;
}

/**
 * How much sound there is. Writers that stream leave a size of 0 or 0xFFFFFFFF behind, and a recording that was cut off has less
 * than it claims: both reach to the end of the file.
 */
function soundBytes(
  bytes: Uint8Array,
  { offset, claimedBytes }: SoundChunk,
  size64: number | undefined,
  isBigEndian: boolean,
): number {
  const available = bytes.length - offset;
  if (claimedBytes === 0xffffffff && size64 !== undefined && size64 > 0) return Math.min(size64, available);
  if (claimedBytes === 0 && isChunkSequence(bytes, offset, isBigEndian)) return 0;
  return unknownSizes.includes(claimedBytes) ? available : Math.min(claimedBytes, available);
}

/** The chunks up to the first with sound, and the format where that stands behind it. */
class Chunks {
  format: WavFormat | undefined;
  sound: SoundChunk | undefined;
  size64: number | undefined;
  /** Where the next one begins. */
  at = 12;
  /** Whether more chunks stand behind an empty one for sound, rather than sound whose length was never written. */
  #isEmptyAtFirst = false;
  readonly #bytes: Uint8Array;
  readonly #isBigEndian: boolean;

  constructor(bytes: Uint8Array, isBigEndian: boolean) {
    this.#bytes = bytes;
    this.#isBigEndian = isBigEndian;
  }

  /** @returns whether there was one */
  read(): boolean {
    const [bytes, at] = [this.#bytes, this.at];
    if (at + 8 > bytes.length) return false;
    const id = textAt(bytes, at, 4);
    const size = viewOf(bytes).getUint32(at + 4, !this.#isBigEndian);
    const start = at + 8;
    const isHead = id === 'fmt ' || id === 'ds64';
    if (isHead && start + size > bytes.length) return false;
    if (id === 'fmt ') this.format = parseWavFormat(bytes, start, size, this.#isBigEndian);
    if (id === 'ds64' && size >= 16) this.size64 = Number(viewOf(bytes).getBigUint64(start + 8, true));
    this.at = nextChunk(bytes, start, size);
    if (id === 'data') this.#noteSound(start, size);
    return true;
  }

  /** An empty chunk may stand in front of the one with the sound. */
  #noteSound(offset: number, claimedBytes: number): void {
    if (this.sound !== undefined && this.sound.claimedBytes > 0) return;
    if (this.sound === undefined && claimedBytes === 0)
      this.#isEmptyAtFirst = isChunkSequence(this.#bytes, offset, this.#isBigEndian);
    this.sound = { offset, claimedBytes };
  }

  /** Whether another chunk may change what is known. */
  get isOpen(): boolean {
    if (this.sound === undefined || this.format === undefined) return true;
    return this.sound.claimedBytes === 0 && this.#isEmptyAtFirst;
  }
}

/**
 * Reads the header of RIFF, RF64, BW64 and (with numbers the other way round) RIFX files up to the sound: chunks in any order, unknown
 * ones, odd sizes. A file cut off within its sound is taken for what is there.
 * @throws AppError undecodable-audio, naming the byte
 */
export function parseWavHeader(bytes: Uint8Array): WavHeader {
  const isBigEndian = hasTextAt(bytes, 0, 'RIFX');
  const chunks = new Chunks(bytes, isBigEndian);
  while (chunks.isOpen && chunks.read()) {
    // A chunk at a time.
  }
  const { format, sound, size64 } = chunks;
  if (sound === undefined) {
    throw damaged('WAV', Math.min(chunks.at, bytes.length), 'it ends before its data chunk');
  }
  if (format === undefined)
    throw damaged('WAV', sound.offset - 8, 'it has no fmt chunk that says what its sound is');
  return { ...format, dataOffset: sound.offset, dataBytes: soundBytes(bytes, sound, size64, isBigEndian) };
}

/** Where another WAV file begins that was hung behind the one whose sound ends at `end`; undefined where none was. */
export function nextWav(bytes: Uint8Array, end: number): number | undefined {
  const view = viewOf(bytes);
  let at = end;
  while (isChunkId(bytes, at)) {
    if (isRiff(bytes, at, 'WAVE')) return at;
    at = nextChunk(bytes, at + 8, view.getUint32(at + 4, !hasTextAt(bytes, 0, 'RIFX')));
  }
  return undefined;
}

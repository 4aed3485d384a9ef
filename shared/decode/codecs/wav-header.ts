import { textAt, viewOf, hasTextAt } from '../bytes/bytes';
import { formatError } from '../bytes/format-error';
import { isRiff } from '../containers/signatures';
import { parseWavFormat, type WavFormat } from './wav-format';

export interface WavHeader extends WavFormat {
  readonly dataOffset: number;
  /** Bytes of audio that the file really contains; the last frame may be incomplete. */
  readonly dataBytes: number;
}

const unknownSizes: readonly number[] = [0, 0xffffffff];

const isChunkId = (bytes: Uint8Array, offset: number): boolean =>
  offset + 8 <= bytes.length &&
  bytes.subarray(offset, offset + 4).every((byte) => byte >= 0x20 && byte < 0x7f);

/** Tells whether the bytes from `offset` to the end consist of whole chunks. */
function isChunkSequence(bytes: Uint8Array, offset: number, isBigEndian: boolean): boolean {
  const view = viewOf(bytes);
  let at = offset;
  while (isChunkId(bytes, at)) at = nextChunk(bytes, at + 8, view.getUint32(at + 4, !isBigEndian));
  return at === bytes.length;
}

const idsAfterUnpaddedChunks = ['data', 'fmt ', 'fact', 'LIST', 'bext', 'id3 '];

/**
 * Returns the offset of the next chunk. Chunks start at even offsets, but some writers omit the padding
 * byte after an odd size.
 */
function nextChunk(bytes: Uint8Array, start: number, size: number): number {
  const end = start + size;
  const isPadded = size % 2 === 1 && !idsAfterUnpaddedChunks.includes(textAt(bytes, end, 4));
  return isPadded ? end + 1 : end;
}

/** A data chunk as stated in its header. */
interface SoundChunk {
  readonly offset: number;
  readonly claimedBytes: number;
}

/**
 * Returns the number of bytes of audio. Streaming writers leave a size of 0 or 0xFFFFFFFF, and a
 * truncated recording states more than it has; both extend to the end of the file.
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

/** Reads the chunks up to the first one with audio, and the format where that comes later. */
class ChunkReader {
  format: WavFormat | undefined;
  sound: SoundChunk | undefined;
  size64: number | undefined;
  /** Offset of the next chunk. */
  at = 12;
  /** Whether an empty data chunk is followed by more chunks, and not by audio of unknown size. */
  #isEmptyAtFirst = false;
  readonly #bytes: Uint8Array;
  readonly #isBigEndian: boolean;

  constructor(bytes: Uint8Array, isBigEndian: boolean) {
    this.#bytes = bytes;
    this.#isBigEndian = isBigEndian;
  }

  /**
   * Reads one chunk.
   * @returns whether there was one
   */
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

  /** Keeps the data chunk, unless it is empty: an empty one may precede the real one. */
  #noteSound(offset: number, claimedBytes: number): void {
    if (this.sound !== undefined && this.sound.claimedBytes > 0) return;
    if (this.sound === undefined && claimedBytes === 0)
      this.#isEmptyAtFirst = isChunkSequence(this.#bytes, offset, this.#isBigEndian);
    this.sound = { offset, claimedBytes };
  }

  /** Whether further chunks may matter. */
  get isOpen(): boolean {
    if (this.sound === undefined || this.format === undefined) return true;
    return this.sound.claimedBytes === 0 && this.#isEmptyAtFirst;
  }
}

/**
 * Parses the header of a RIFF, RF64, BW64 or RIFX (big-endian) file up to the audio. Chunks may be
 * unknown, in any order and of odd sizes. A file truncated within its audio is accepted.
 * @throws AppError undecodable-audio with the byte offset
 */
export function parseWavHeader(bytes: Uint8Array): WavHeader {
  const isBigEndian = hasTextAt(bytes, 0, 'RIFX');
  const chunks = new ChunkReader(bytes, isBigEndian);
  while (chunks.isOpen && chunks.read()) {
    // read() takes one chunk at a time.
  }
  const { format, sound, size64 } = chunks;
  if (sound === undefined) {
    throw formatError('WAV', Math.min(chunks.at, bytes.length), 'it ends before its data chunk');
  }
  if (format === undefined)
    throw formatError('WAV', sound.offset - 8, 'it has no fmt chunk that says what its sound is');
  return { ...format, dataOffset: sound.offset, dataBytes: soundBytes(bytes, sound, size64, isBigEndian) };
}

/**
 * Returns the offset of another WAV file appended after audio that ends at `end`; undefined where there
 * is none.
 */
export function nextWav(bytes: Uint8Array, end: number): number | undefined {
  const view = viewOf(bytes);
  let at = end;
  while (isChunkId(bytes, at)) {
    if (isRiff(bytes, at, 'WAVE')) return at;
    at = nextChunk(bytes, at + 8, view.getUint32(at + 4, !hasTextAt(bytes, 0, 'RIFX')));
  }
  return undefined;
}

import { textAt, viewOf, hasTextAt } from './bytes';
import { damaged } from './damaged';
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

/**
 * How much sound there is. Writers that stream leave a size of 0 or 0xFFFFFFFF behind, and a recording that was cut off has less
 * than it claims: both reach to the end of the file.
 */
function soundBytes(
  bytes: Uint8Array,
  dataOffset: number,
  claimed: number,
  size64: number | undefined,
  isBigEndian: boolean,
): number {
  const available = bytes.length - dataOffset;
  if (claimed === 0xffffffff && size64 !== undefined && size64 > 0) return Math.min(size64, available);
  if (claimed === 0 && isChunkSequence(bytes, dataOffset, isBigEndian)) return 0;
  return unknownSizes.includes(claimed) ? available : Math.min(claimed, available);
}

/**
 * Reads the header of RIFF, RF64, BW64 and (with numbers the other way round) RIFX files up to the sound: any chunk order with fmt before data, unknown chunks, odd
 * sizes. A file cut off within its sound is taken for what is there.
 * @throws AppError undecodable-audio, naming the byte
 */
export function parseWavHeader(bytes: Uint8Array): WavHeader {
  const view = viewOf(bytes);
  const isBigEndian = hasTextAt(bytes, 0, 'RIFX');
  let format: WavFormat | undefined;
  let size64: number | undefined;
  let at = 12;
  while (at + 8 <= bytes.length) {
    const id = textAt(bytes, at, 4);
    const size = view.getUint32(at + 4, !isBigEndian);
    const start = at + 8;
    if (id === 'data') {
      if (format === undefined) throw damaged('WAV', at, 'its data chunk comes before a fmt chunk');
      return { ...format, dataOffset: start, dataBytes: soundBytes(bytes, start, size, size64, isBigEndian) };
    }
    if ((id === 'fmt ' || id === 'ds64') && start + size > bytes.length) break;
    if (id === 'fmt ') format = parseWavFormat(bytes, start, size, isBigEndian);
    if (id === 'ds64' && size >= 16) size64 = Number(view.getBigUint64(start + 8, true));
    at = nextChunk(bytes, start, size);
  }
  throw damaged('WAV', Math.min(at, bytes.length), 'it ends before its data chunk');
}

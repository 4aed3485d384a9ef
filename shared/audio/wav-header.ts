import { textAt, viewOf, hasTextAt } from './bytes';
import { damaged } from './damaged';

export type WavCodec =
  'pcm_u8' | 'pcm_s16le' | 'pcm_s24le' | 'pcm_s32le' | 'pcm_f32le' | 'pcm_f64le' | 'alaw' | 'mulaw';

export interface WavHeader {
  /** Undefined for a compressed format that is none of ours; `formatTag` says which. */
  readonly codec: WavCodec | undefined;
  readonly formatTag: number;
  readonly sampleRate: number;
  readonly channels: number;
  /** Bytes of one moment in all channels. */
  readonly frameBytes: number;
  readonly dataOffset: number;
  /** Bytes of sound that are really there, perhaps with a broken frame at the end. */
  readonly dataBytes: number;
}

interface WavFormat {
  readonly codec: WavCodec | undefined;
  readonly formatTag: number;
  readonly channels: number;
  readonly sampleRate: number;
  readonly frameBytes: number;
}

const extensibleTag = 0xfffe;
/** The rest of a WAVE_FORMAT_EXTENSIBLE sub-format id, after the two bytes of the plain tag. */
const subFormatTail = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];
const unknownSizes: readonly number[] = [0, 0xffffffff];

/** Codecs by plain format tag and bytes a sample. */
const codecs: Readonly<Record<number, Readonly<Record<number, WavCodec>>>> = {
  1: { 1: 'pcm_u8', 2: 'pcm_s16le', 3: 'pcm_s24le', 4: 'pcm_s32le' },
  3: { 4: 'pcm_f32le', 8: 'pcm_f64le' },
  6: { 1: 'alaw' },
  7: { 1: 'mulaw' },
};

function parseFormat(view: DataView, offset: number, size: number): WavFormat {
  if (size < 16) throw damaged('WAV', offset, `its fmt chunk is ${size} bytes long, 16 are the least`);
  let formatTag = view.getUint16(offset, true);
  const channels = view.getUint16(offset + 2, true);
  const sampleRate = view.getUint32(offset + 4, true);
  const frameBytes = view.getUint16(offset + 12, true);
  const bits = view.getUint16(offset + 14, true);
  if (formatTag === extensibleTag) {
    if (size < 40)
      throw damaged('WAV', offset, `its extensible fmt chunk is ${size} bytes long, 40 are the least`);
    const known = subFormatTail.every((byte, index) => view.getUint8(offset + 26 + index) === byte);
    formatTag = known ? view.getUint16(offset + 24, true) : extensibleTag;
  }
  const bySize = codecs[formatTag];
  if (bySize === undefined) return { codec: undefined, formatTag, channels, sampleRate, frameBytes };
  // Odd depths (12, 20 bits) stand at the top of the next whole number of bytes.
  const sampleBytes = Math.ceil(bits / 8);
  const codec = bySize[sampleBytes];
  if (codec === undefined)
    throw damaged('WAV', offset + 14, `format ${formatTag} has no samples of ${bits} bits`);
  if (channels === 0) throw damaged('WAV', offset + 2, 'it has no channel');
  if (frameBytes !== channels * sampleBytes) {
    throw damaged(
      'WAV',
      offset + 12,
      `it claims ${frameBytes} bytes for each moment, but ${channels} channels of ${bits} bits take ${channels * sampleBytes}`,
    );
  }
  return { codec, formatTag, channels, sampleRate, frameBytes };
}

const isChunkId = (bytes: Uint8Array, offset: number): boolean =>
  offset + 8 <= bytes.length &&
  bytes.subarray(offset, offset + 4).every((byte) => byte >= 0x20 && byte < 0x7f);

/** Whether the bytes from `offset` to the end are nothing but whole chunks. */
function isChunkSequence(bytes: Uint8Array, offset: number): boolean {
  const view = viewOf(bytes);
  let at = offset;
  while (isChunkId(bytes, at)) at = nextChunk(bytes, at + 8, view.getUint32(at + 4, true));
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
): number {
  const available = bytes.length - dataOffset;
  if (claimed === 0xffffffff && size64 !== undefined && size64 > 0) return Math.min(size64, available);
  if (claimed === 0 && isChunkSequence(bytes, dataOffset)) return 0;
  return unknownSizes.includes(claimed) ? available : Math.min(claimed, available);
}

/**
 * Reads the header of RIFF, RF64 and BW64 files up to the sound: any chunk order with fmt before data, unknown chunks, odd
 * sizes. A file cut off within its sound is taken for what is there.
 * @throws AppError undecodable-audio, naming the byte
 */
export function parseWavHeader(bytes: Uint8Array): WavHeader {
  const view = viewOf(bytes);
  if (hasTextAt(bytes, 0, 'RIFX')) throw damaged('WAV', 0, 'big-endian RIFX files are not understood');
  let format: WavFormat | undefined;
  let size64: number | undefined;
  let at = 12;
  while (at + 8 <= bytes.length) {
    const id = textAt(bytes, at, 4);
    const size = view.getUint32(at + 4, true);
    const start = at + 8;
    if (id === 'data') {
      if (format === undefined) throw damaged('WAV', at, 'its data chunk comes before a fmt chunk');
      return { ...format, dataOffset: start, dataBytes: soundBytes(bytes, start, size, size64) };
    }
    if ((id === 'fmt ' || id === 'ds64') && start + size > bytes.length) break;
    if (id === 'fmt ') format = parseFormat(view, start, size);
    if (id === 'ds64' && size >= 16) size64 = Number(view.getBigUint64(start + 8, true));
    at = nextChunk(bytes, start, size);
  }
  throw damaged('WAV', Math.min(at, bytes.length), 'it ends before its data chunk');
}

import { damaged } from '../bytes/damaged';

/** What STREAMINFO says of a FLAC stream. */
export interface FlacStreamInfo {
  readonly sampleRate: number;
  readonly channels: number;
  readonly bitsPerSample: number;
  /** 0 when the encoder did not know. */
  readonly totalSamples: number;
}

export interface FlacFrameHeader {
  readonly blockSamples: number;
  /** 0 to 7: one more independent channels; 8 left and side, 9 side and right, 10 middle and side. */
  readonly assignment: number;
  /** Undefined where STREAMINFO has it. */
  readonly sampleRate: number | undefined;
  readonly bitsPerSample: number | undefined;
  /** Whether `number` counts samples instead of frames. */
  readonly countsSamples: boolean;
  readonly number: number;
  readonly headerBytes: number;
}

const streamInfoBytes = 34;
export const flacMarker = 'fLaC';

/** The STREAMINFO block (RFC 9639, 8.2) whose content begins at `offset`. */
export function parseStreamInfo(bytes: Uint8Array, offset: number): FlacStreamInfo {
  const at = offset + 10; // behind the limits of block and frame sizes
  const byte = (index: number): number => bytes[at + index] ?? 0;
  return {
    sampleRate: (byte(0) << 12) | (byte(1) << 4) | (byte(2) >> 4),
    channels: ((byte(2) >> 1) & 7) + 1,
    bitsPerSample: (((byte(2) & 1) << 4) | (byte(3) >> 4)) + 1,
    totalSamples: (byte(3) & 15) * 2 ** 32 + byte(4) * 2 ** 24 + ((byte(5) << 16) | (byte(6) << 8) | byte(7)),
  };
}

/**
 * Where the metadata of a native FLAC file ends and its sound begins; `start` is where `fLaC` stands.
 * @throws AppError undecodable-audio
 */
export function flacSoundOffset(bytes: Uint8Array, start: number): number {
  const first = start + flacMarker.length;
  let at = first;
  for (let isLast = false; !isLast;) {
    if (at + 4 > bytes.length) throw damaged('FLAC', bytes.length, 'it ends within its metadata');
    const header = bytes[at]!;
    const size = (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    const isStreamInfo = (header & 0x7f) === 0;
    if (at === first && (!isStreamInfo || size !== streamInfoBytes)) {
      throw damaged('FLAC', at, 'it does not begin with STREAMINFO');
    }
    isLast = (header & 0x80) !== 0;
    at += 4 + size;
  }
  if (at > bytes.length) throw damaged('FLAC', bytes.length, 'it ends within its metadata');
  return at;
}

const crc8Table = Uint8Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc & 0x80) === 0 ? crc << 1 : (crc << 1) ^ 0x07;
  return crc;
});

const depths = [undefined, 8, 12, undefined, 16, 20, 24, 32] as const;
/** Hz by the header's code; 0 and 12 to 14 stand for STREAMINFO and for bytes at the header's end. */
const rates: Readonly<Record<number, number>> = {
  ...{ 1: 88_200, 2: 176_400, 3: 192_000, 4: 8_000, 5: 16_000, 6: 22_050 },
  ...{ 7: 24_000, 8: 32_000, 9: 44_100, 10: 48_000, 11: 96_000 },
};

/** A frame's number, coded like UTF-8 in up to seven bytes. */
function readNumber(bytes: Uint8Array, at: number): { value: number; length: number } | undefined {
  const lead = bytes[at]!;
  if (lead < 0x80) return { value: lead, length: 1 };
  const length = Math.clz32(~(lead << 24));
  if (length < 2 || length > 7) return undefined;
  let value = lead & (0x7f >> length);
  for (let index = 1; index < length; index += 1) value = value * 64 + (bytes[at + index]! & 0x3f);
  return { value, length };
}

function readBlockSamples(code: number, bytes: Uint8Array, at: number): number {
  if (code === 1) return 192;
  if (code <= 5) return 576 << (code - 2);
  if (code === 6) return bytes[at]! + 1;
  if (code === 7) return ((bytes[at]! << 8) | bytes[at + 1]!) + 1;
  return 256 << (code - 8);
}

function readSampleRate(code: number, bytes: Uint8Array, at: number): number | undefined {
  if (code === 12) return bytes[at]! * 1000;
  if (code === 13) return (bytes[at]! << 8) | bytes[at + 1]!;
  if (code === 14) return ((bytes[at]! << 8) | bytes[at + 1]!) * 10;
  return rates[code];
}

function crc8(bytes: Uint8Array, from: number, to: number): number {
  let crc = 0;
  for (let index = from; index < to; index += 1) crc = crc8Table[crc ^ bytes[index]!]!;
  return crc;
}

/** Whether a header may begin with these four bytes: the sync code, and nothing reserved. */
function isPlausible(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] !== 0xff || (bytes[at + 1]! & 0xfe) !== 0xf8) return false;
  const [codes, layout] = [bytes[at + 2]!, bytes[at + 3]!];
  return codes >> 4 !== 0 && (codes & 15) !== 15 && layout >> 4 <= 10 && ((layout >> 1) & 7) !== 3;
}

/** Bytes at a header's end for a block size or rate that its code alone does not tell. */
const blockBytes: Readonly<Record<number, number>> = { 6: 1, 7: 2 };
const rateBytes: Readonly<Record<number, number>> = { 12: 1, 13: 2, 14: 2 };

/** The frame header (RFC 9639, 9.1) at `at`; undefined unless its checksum is right and nothing in it is reserved. */
export function parseFlacFrameHeader(bytes: Uint8Array, at: number): FlacFrameHeader | undefined {
  const number = isPlausible(bytes, at) ? readNumber(bytes, at + 4) : undefined;
  if (number === undefined) return undefined;
  const [codes, layout] = [bytes[at + 2]!, bytes[at + 3]!];
  const [blockCode, rateCode] = [codes >> 4, codes & 15];
  const blockAt = at + 4 + number.length;
  const rateAt = blockAt + (blockBytes[blockCode] ?? 0);
  const end = rateAt + (rateBytes[rateCode] ?? 0) + 1;
  if (end > bytes.length || crc8(bytes, at, end) !== 0) return undefined;
  return {
    blockSamples: readBlockSamples(blockCode, bytes, blockAt),
    assignment: layout >> 4,
    sampleRate: readSampleRate(rateCode, bytes, rateAt),
    bitsPerSample: depths[((layout >> 1) & 7) as 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7],
    countsSamples: (bytes[at + 1]! & 1) === 1,
    number: number.value,
    headerBytes: end - at,
  };
}

import { formatError } from '../bytes/format-error';

/** The content of a FLAC stream's STREAMINFO block. */
export interface FlacStreamInfo {
  readonly sampleRate: number;
  readonly channels: number;
  readonly bitsPerSample: number;
  /** Per channel; 0 when the encoder did not know. */
  readonly totalSamples: number;
}

export interface FlacFrameHeader {
  readonly blockSamples: number;
  /**
   * 0 to 7: that many channels plus one, independent; 8: left and side; 9: side and right; 10: middle
   * and side.
   */
  readonly assignment: number;
  /** Undefined: as in STREAMINFO. */
  readonly sampleRate: number | undefined;
  readonly bitsPerSample: number | undefined;
  /** Whether `number` counts samples; otherwise it counts frames. */
  readonly countsSamples: boolean;
  readonly number: number;
  readonly headerBytes: number;
}

const streamInfoBytes = 34;
export const flacMarker = 'fLaC';

/** Parses the STREAMINFO block (RFC 9639, 8.2) whose content begins at `offset`. */
export function parseStreamInfo(bytes: Uint8Array, offset: number): FlacStreamInfo {
  const at = offset + 10; // after the limits of block and frame sizes
  const byte = (index: number): number => bytes[at + index] ?? 0;
  return {
    sampleRate: (byte(0) << 12) | (byte(1) << 4) | (byte(2) >> 4),
    channels: ((byte(2) >> 1) & 7) + 1,
    bitsPerSample: (((byte(2) & 1) << 4) | (byte(3) >> 4)) + 1,
    totalSamples: (byte(3) & 15) * 2 ** 32 + byte(4) * 2 ** 24 + ((byte(5) << 16) | (byte(6) << 8) | byte(7)),
  };
}

/**
 * Returns the offset at which the metadata of a native FLAC file ends and its audio begins; `start` is
 * the offset of `fLaC`.
 * @throws AppError undecodable-audio
 */
export function flacSoundOffset(bytes: Uint8Array, start: number): number {
  const first = start + flacMarker.length;
  let at = first;
  for (let isLast = false; !isLast;) {
    if (at + 4 > bytes.length) throw formatError('FLAC', bytes.length, 'it ends within its metadata');
    const header = bytes[at]!;
    const size = (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    const isStreamInfo = (header & 0x7f) === 0;
    if (at === first && (!isStreamInfo || size !== streamInfoBytes)) {
      throw formatError('FLAC', at, 'it does not begin with STREAMINFO');
    }
    isLast = (header & 0x80) !== 0;
    at += 4 + size;
  }
  if (at > bytes.length) throw formatError('FLAC', bytes.length, 'it ends within its metadata');
  return at;
}

const crc8Table = Uint8Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc & 0x80) === 0 ? crc << 1 : (crc << 1) ^ 0x07;
  return crc;
});

const depths = [undefined, 8, 12, undefined, 16, 20, 24, 32] as const;
/**
 * Sample rates in Hz by the code in the header. Code 0 means STREAMINFO; 12 to 14 mean bytes at the end
 * of the header.
 */
const rates: Readonly<Record<number, number>> = {
  1: 88_200,
  2: 176_400,
  3: 192_000,
  4: 8_000,
  5: 16_000,
  6: 22_050,
  7: 24_000,
  8: 32_000,
  9: 44_100,
  10: 48_000,
  11: 96_000,
};

/** Reads a frame's number, which is coded like UTF-8 in up to seven bytes. */
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

/** Tells whether a header may begin at `at`: the sync code is there, and no reserved value is used. */
function isPlausible(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] !== 0xff || (bytes[at + 1]! & 0xfe) !== 0xf8) return false;
  const [codes, layout] = [bytes[at + 2]!, bytes[at + 3]!];
  return codes >> 4 !== 0 && (codes & 15) !== 15 && layout >> 4 <= 10 && ((layout >> 1) & 7) !== 3;
}

/** Number of extra bytes at the end of the header, by the code of the block size and of the rate. */
const blockBytes: Readonly<Record<number, number>> = { 6: 1, 7: 2 };
const rateBytes: Readonly<Record<number, number>> = { 12: 1, 13: 2, 14: 2 };

/**
 * Parses the frame header (RFC 9639, 9.1) at `at`.
 * @returns undefined where the checksum is wrong or a reserved value is used
 */
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

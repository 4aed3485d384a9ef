import { hasTextAt } from './bytes';
import { damaged } from './damaged';

export interface StreamInfo {
  readonly sampleRate: number;
  readonly channels: number;
  readonly bitsPerSample: number;
  /** 0 when the encoder did not know. */
  readonly totalSamples: number;
}

const streamInfoBytes = 34;

/** The STREAMINFO block (RFC 9639, 8.2) whose content begins at `offset`. */
export function parseStreamInfo(bytes: Uint8Array, offset: number): StreamInfo {
  const at = offset + 10; // behind the limits of block and frame sizes
  const byte = (index: number): number => bytes[at + index] ?? 0;
  return {
    sampleRate: (byte(0) << 12) | (byte(1) << 4) | (byte(2) >> 4),
    channels: ((byte(2) >> 1) & 7) + 1,
    bitsPerSample: (((byte(2) & 1) << 4) | (byte(3) >> 4)) + 1,
    totalSamples: (byte(3) & 15) * 2 ** 32 + byte(4) * 2 ** 24 + ((byte(5) << 16) | (byte(6) << 8) | byte(7)),
  };
}

const crc8Table = Uint8Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x80 ? (crc << 1) ^ 0x07 : crc << 1;
  return crc;
});

const crc16Table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ 0x8005 : crc << 1;
  return crc;
});

/**
 * Whether a frame header (RFC 9639, 9.1) with a right checksum stands at `at`, of the same blocking, rate and depth as the
 * one at `like`: by chance that happens once in 2^32 places.
 */
function isFrameHeader(bytes: Uint8Array, at: number, like: number): boolean {
  if (bytes[at] !== 0xff || (bytes[at + 1]! & 0xfe) !== 0xf8 || bytes[at + 1] !== bytes[like + 1])
    return false;
  const [codes, layout] = [bytes[at + 2]!, bytes[at + 3]!];
  const [blockCode, rateCode] = [codes >> 4, codes & 15];
  if (rateCode !== (bytes[like + 2]! & 15) || ((layout ^ bytes[like + 3]!) & 15) !== 0) return false;
  if (blockCode === 0 || rateCode === 15 || layout >> 4 > 10) return false;
  const end = at + 4 + codedBytes(bytes[at + 4]!, blockCode, rateCode);
  if (end >= bytes.length) return false;
  let crc = 0;
  for (let index = at; index <= end; index += 1) crc = crc8Table[crc ^ bytes[index]!]!;
  return crc === 0;
}

/** Bytes of a header's variable part: its number, coded like UTF-8, and whatever the codes put off to here. */
function codedBytes(numberLead: number, blockCode: number, rateCode: number): number {
  const numberBytes = numberLead < 0x80 ? 1 : Math.clz32(~(numberLead << 24));
  const blockBytes = blockCode === 6 ? 1 : blockCode === 7 ? 2 : 0;
  const rateBytes = rateCode === 12 ? 1 : rateCode === 13 || rateCode === 14 ? 2 : 0;
  return numberBytes + blockBytes + rateBytes;
}

/** Where the metadata of a native FLAC file ends and its sound begins; `start` is where `fLaC` stands. */
export function soundOffset(bytes: Uint8Array, start: number): number {
  let at = start + 4;
  for (let isLast = false; !isLast;) {
    if (at + 4 > bytes.length) throw damaged('FLAC', bytes.length, 'it ends within its metadata');
    const header = bytes[at]!;
    const size = (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    const isStreamInfo = (header & 0x7f) === 0;
    if (at === start + 4 && (!isStreamInfo || size !== streamInfoBytes)) {
      throw damaged('FLAC', at, 'it does not begin with STREAMINFO');
    }
    isLast = (header & 0x80) !== 0;
    at += 4 + size;
  }
  if (at > bytes.length) throw damaged('FLAC', bytes.length, 'it ends within its metadata');
  return at;
}

/**
 * The frames of a native FLAC file one by one: each ends where the next header stands and its CRC-16 is right. A last frame cut
 * off by the end of the file is left out, and so is a tag behind the sound.
 * @throws AppError undecodable-audio where a frame is damaged with sound behind it
 */
export function* flacFrames(bytes: Uint8Array, firstFrame: number): Generator<Uint8Array> {
  let start = firstFrame;
  while (start < bytes.length) {
    if (isTrailer(bytes, start) || start + shortestFrameBytes > bytes.length) return;
    if (!isFrameHeader(bytes, start, firstFrame)) throw damaged('FLAC', start, 'a frame was expected here');
    const end = frameEnd(bytes, start, firstFrame);
    if (end === undefined) return;
    yield bytes.subarray(start, end);
    start = end;
  }
}

const shortestFrameBytes = 10;

/** Where the frame at `start` ends; undefined when the file ends first. */
function frameEnd(bytes: Uint8Array, start: number, firstFrame: number): number | undefined {
  let crc = 0;
  for (let end = start; end < bytes.length;) {
    crc = ((crc << 8) ^ crc16Table[(crc >> 8) ^ bytes[end]!]!) & 0xffff;
    end += 1;
    if (crc === 0 && end === bytes.length) return end;
    if (bytes[end] !== 0xff) {
      if (crc === 0 && isTrailer(bytes, end)) return end;
    } else if (isFrameHeader(bytes, end, firstFrame)) {
      if (crc === 0) return end;
      throw damaged('FLAC', start, 'a frame does not match its checksum');
    }
  }
  return undefined;
}

/** An ID3v1 or APE tag that a tagger hung behind the sound. */
function isTrailer(bytes: Uint8Array, at: number): boolean {
  return (at === bytes.length - 128 && hasTextAt(bytes, at, 'TAG')) || hasTextAt(bytes, at, 'APETAGEX');
}

import { hasTextAt, viewOf } from '../bytes/bytes';

export type OggCodec = 'vorbis' | 'opus' | 'flac' | 'speex';

/** A page of an Ogg stream (RFC 3533, section 6). */
export interface OggPage {
  /** Size of the whole page, including its header. */
  readonly byteLength: number;
  /** Position at the end of the page in the codec's units; −1 where no packet ends. */
  readonly granule: number;
  readonly payload: Uint8Array;
  /** Lengths of the payload's segments; a packet ends with the first one below 255. */
  readonly lacing: Uint8Array;
  readonly serial: number;
  readonly sequence: number;
  readonly checksum: number;
  /** Whether its first packet began on the previous page. */
  readonly isContinued: boolean;
  readonly isFirst: boolean;
  readonly isLast: boolean;
}

const headerBytes = 27;
const checksumAt = 22;

/** Table for the CRC of RFC 3533: polynomial 0x04c11db7, most significant bit first, starting at 0. */
const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit += 1) crc = crc < 0 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  return crc >>> 0;
});

function pageChecksum(page: Uint8Array): number {
  let crc = 0;
  for (let index = 0; index < page.length; index += 1) {
    const byte = index >= checksumAt && index < checksumAt + 4 ? 0 : page[index]!;
    crc = (crc << 8) ^ crcTable[(crc >>> 24) ^ byte]!;
  }
  return crc >>> 0;
}

/**
 * Parses the page at `offset`, where `OggS` stands.
 * @returns `incomplete` when the bytes end within the page; `damaged` for another version or a wrong
 * checksum. A checksum of 0 counts as absent, because small encoders omit it
 */
export function parsePage(bytes: Uint8Array, offset: number): OggPage | 'incomplete' | 'damaged' {
  const segments = bytes[offset + 26];
  if (segments === undefined) return 'incomplete';
  if (bytes[offset + 4] !== 0) return 'damaged';
  const payloadStart = offset + headerBytes + segments;
  if (payloadStart > bytes.length) return 'incomplete';
  const lacing = bytes.subarray(offset + headerBytes, payloadStart);
  const payloadEnd = payloadStart + lacing.reduce((sum, length) => sum + length, 0);
  if (payloadEnd > bytes.length) return 'incomplete';
  const page = bytes.subarray(offset, payloadEnd);
  const view = viewOf(page);
  const checksum = view.getUint32(checksumAt, true);
  if (checksum !== 0 && pageChecksum(page) !== checksum) return 'damaged';
  const flags = page[5]!;
  return {
    byteLength: page.length,
    granule: Number(view.getBigInt64(6, true)),
    lacing,
    serial: view.getUint32(14, true),
    sequence: view.getUint32(18, true),
    checksum,
    isContinued: (flags & 1) !== 0,
    isFirst: (flags & 2) !== 0,
    isLast: (flags & 4) !== 0,
    payload: bytes.subarray(payloadStart, payloadEnd),
  };
}

/**
 * Returns the codec that the first packet of a stream announces; undefined for video, text and unknown
 * codecs.
 */
export function oggCodec(head: Uint8Array): OggCodec | undefined {
  if (hasTextAt(head, 0, '\x01vorbis')) return 'vorbis';
  if (hasTextAt(head, 0, 'OpusHead')) return 'opus';
  if (hasTextAt(head, 0, '\x7fFLAC')) return 'flac';
  if (hasTextAt(head, 0, 'Speex   ')) return 'speex';
  return undefined;
}

/** Returns the offset of the next page at or after `offset`; −1 where there is none. */
export function findPage(bytes: Uint8Array, offset: number): number {
  for (let at = bytes.indexOf(0x4f, offset); at >= 0; at = bytes.indexOf(0x4f, at + 1)) {
    if (hasTextAt(bytes, at, 'OggS')) return at;
  }
  return -1;
}

const segmentsOfPage = 255;

/** Writes packets as pages of one stream, numbered from `sequence` on and without checksums. */
export function writePages(packets: readonly Uint8Array[], sequence: number, isFirst: boolean): Uint8Array[] {
  const segments = packets.flatMap((packet) => {
    const count = Math.floor(packet.length / 255) + 1;
    return Array.from({ length: count }, (_, index) => packet.subarray(255 * index, 255 * (index + 1)));
  });
  const pages: Uint8Array[] = [];
  for (let at = 0; at < segments.length; at += segmentsOfPage) {
    const pageSegments = segments.slice(at, at + segmentsOfPage);
    const head = new Uint8Array(headerBytes + pageSegments.length);
    head.set([0x4f, 0x67, 0x67, 0x53]);
    head[5] = (segments[at - 1]?.length === 255 ? 1 : 0) | (isFirst && at === 0 ? 2 : 0);
    head[14] = 1;
    viewOf(head).setUint32(18, sequence + pages.length, true);
    head[26] = pageSegments.length;
    head.set(
      pageSegments.map(({ length }) => length),
      headerBytes,
    );
    pages.push(Buffer.concat([head, ...pageSegments]));
  }
  return pages;
}

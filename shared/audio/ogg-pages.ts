import { hasTextAt, viewOf } from './bytes';
import { damaged } from './damaged';

export type OggCodec = 'vorbis' | 'opus' | 'flac' | 'speex';

export interface OggPage {
  readonly byteOffset: number;
  /** The whole page, header and all. */
  readonly bytes: Uint8Array;
  /** Position after this page in the codec's own units; −1 where no packet ends. */
  readonly granule: number;
  readonly payload: Uint8Array;
  /** Lengths of the payload's segments; a packet ends with the first that is shorter than 255. */
  readonly lacing: Uint8Array;
}

/** One logical stream: what a single encoder wrote. A chained file has several, one after another. */
export interface OggStream {
  readonly codec: OggCodec;
  /** First packet, which holds the codec's header. */
  readonly head: Uint8Array;
  readonly pages: readonly OggPage[];
}

export interface ParsedPage extends OggPage {
  readonly serial: number;
  readonly sequence: number;
  readonly isFirst: boolean;
  readonly isLast: boolean;
}

const headerBytes = 27;
const checksumAt = 22;

/** CRC of RFC 3533: polynomial 0x04c11db7, most significant bit first, starting at 0. */
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

/** The page at `offset`, or undefined when the file ends within it. @throws AppError undecodable-audio for a wrong checksum */
export function parsePage(file: Uint8Array, offset: number): ParsedPage | undefined {
  const segments = file[offset + 26];
  if (segments === undefined || offset + headerBytes + segments > file.length) return undefined;
  const lacing = file.subarray(offset + headerBytes, offset + headerBytes + segments);
  const payloadStart = offset + headerBytes + segments;
  const payloadEnd = payloadStart + lacing.reduce((sum, length) => sum + length, 0);
  if (payloadEnd > file.length) return undefined;
  const bytes = file.subarray(offset, payloadEnd);
  const view = viewOf(bytes);
  if (pageChecksum(bytes) !== view.getUint32(checksumAt, true)) {
    throw damaged('Ogg', offset, 'a page does not match its checksum');
  }
  return {
    byteOffset: offset,
    bytes,
    granule: Number(view.getBigInt64(6, true)),
    lacing,
    serial: view.getUint32(14, true),
    sequence: view.getUint32(18, true),
    isFirst: (bytes[5]! & 2) !== 0,
    isLast: (bytes[5]! & 4) !== 0,
    payload: file.subarray(payloadStart, payloadEnd),
  };
}

/** The codec that a stream's first packet announces; undefined for video, text and the unknown. */
export function oggCodec(head: Uint8Array): OggCodec | undefined {
  if (hasTextAt(head, 0, '\x01vorbis')) return 'vorbis';
  if (hasTextAt(head, 0, 'OpusHead')) return 'opus';
  if (hasTextAt(head, 0, '\x7fFLAC')) return 'flac';
  if (hasTextAt(head, 0, 'Speex   ')) return 'speex';
  return undefined;
}

/** Offset of the next page at or after `offset`, or −1. */
function findPage(file: Uint8Array, offset: number): number {
  for (let at = file.indexOf(0x4f, offset); at >= 0; at = file.indexOf(0x4f, at + 1)) {
    if (hasTextAt(file, at, 'OggS')) return at;
  }
  return -1;
}

/** The pages of a file one after another. A page cut off by the end of the file is left out, and so is what is no page behind. */
function* pagesOf(file: Uint8Array): Generator<ParsedPage> {
  let at = findPage(file, 0);
  while (at >= 0) {
    if (!hasTextAt(file, at, 'OggS')) {
      if (findPage(file, at) >= 0) throw damaged('Ogg', at, 'a page was expected here');
      return;
    }
    const page = parsePage(file, at);
    if (page === undefined) return;
    yield page;
    at += page.bytes.length;
  }
}

/**
 * The sound streams of an Ogg file, in order: of streams that begin together (sound beside video) the first with sound, then those
 * chained behind it. A file that ends too early is taken as far as it goes.
 * @throws AppError undecodable-audio where a page is damaged or missing
 */
export function readOggStreams(file: Uint8Array): OggStream[] {
  const streams: OggStream[] = [];
  let open: { serial: number; sequence: number; pages: OggPage[] } | undefined;
  let groupHasSound = false;
  let inHeads = false;
  for (const page of pagesOf(file)) {
    if (page.isFirst) {
      groupHasSound &&= inHeads;
      inHeads = true;
      const codec = oggCodec(page.payload);
      if (groupHasSound || codec === undefined) continue;
      groupHasSound = true;
      open = { serial: page.serial, sequence: page.sequence, pages: [page] };
      streams.push({ codec, head: page.payload, pages: open.pages });
      continue;
    }
    inHeads = false;
    if (open?.serial !== page.serial) continue;
    if (page.sequence !== open.sequence + 1 && open.sequence > 1) {
      throw damaged('Ogg', page.byteOffset, 'a page before this one is missing');
    }
    open.sequence = page.sequence;
    open.pages.push(page);
  }
  return streams;
}

/** The packets of a stream, put together from its pages, each with the place of the page where it ends. */
export function* oggPackets(
  pages: readonly OggPage[],
): Generator<{ readonly packet: Uint8Array; readonly byteOffset: number }> {
  let pieces: Uint8Array[] = [];
  for (const { payload, lacing, byteOffset } of pages) {
    let at = 0;
    for (const length of lacing) {
      pieces.push(payload.subarray(at, at + length));
      at += length;
      if (length === 255) continue;
      yield { packet: Buffer.concat(pieces), byteOffset };
      pieces = [];
    }
  }
}

/** Ogg pages read, changed and written anew: what encoders, servers and bad connections do to them. */

export interface Page {
  flags: number;
  granule: bigint;
  serial: number;
  sequence: number;
  lacing: Buffer;
  payload: Buffer;
}

export const firstFlag = 2;
export const lastFlag = 4;

export function readPages(file: Buffer): Page[] {
  const pages: Page[] = [];
  for (let at = 0; at < file.length;) {
    const segments = file[at + 26]!;
    const lacing = Buffer.from(file.subarray(at + 27, at + 27 + segments));
    const start = at + 27 + segments;
    const end = start + lacing.reduce((sum, length) => sum + length, 0);
    pages.push({
      flags: file[at + 5]!,
      granule: file.readBigInt64LE(at + 6),
      serial: file.readUInt32LE(at + 14),
      sequence: file.readUInt32LE(at + 18),
      lacing,
      payload: Buffer.from(file.subarray(start, end)),
    });
    at = end;
  }
  return pages;
}

/** Bit by bit, after RFC 3533: slow, and not the code under test. */
function checksum(page: Buffer): number {
  let crc = 0n;
  for (const byte of page) {
    crc ^= BigInt(byte) << 24n;
    for (let bit = 0; bit < 8; bit += 1) {
      crc = (crc << 1n) & 0x1ffffffffn;
      if (crc > 0xffffffffn) crc ^= 0x104c11db7n;
    }
  }
  return Number(crc);
}

export function writePage({ flags, granule, serial, sequence, lacing, payload }: Page): Buffer {
  const head = Buffer.alloc(27);
  head.write('OggS');
  head[5] = flags;
  head.writeBigInt64LE(granule, 6);
  head.writeUInt32LE(serial, 14);
  head.writeUInt32LE(sequence, 18);
  head[26] = lacing.length;
  const page = Buffer.concat([head, lacing, payload]);
  page.writeUInt32LE(checksum(page), 22);
  return page;
}

export function writeOgg(pages: readonly Page[]): Buffer {
  return Buffer.concat(pages.map(writePage));
}

/** A page of whole packets. */
export function pageOf(packets: readonly Buffer[], head: Omit<Page, 'lacing' | 'payload'>): Page {
  const lacing = packets.flatMap(({ length }) => [
    ...Array.from({ length: Math.floor(length / 255) }, () => 255),
    length % 255,
  ]);
  return { ...head, lacing: Buffer.from(lacing), payload: Buffer.concat(packets) };
}

/** The packets of a stream, put together from its pages. */
export function packetsOf(pages: readonly Page[]): Buffer[] {
  const packets: Buffer[] = [];
  let pieces: Buffer[] = [];
  for (const { lacing, payload } of pages) {
    let at = 0;
    for (const length of lacing) {
      pieces.push(payload.subarray(at, at + length));
      at += length;
      if (length === 255) continue;
      packets.push(Buffer.concat(pieces));
      pieces = [];
    }
  }
  return packets;
}

import { crc32, deflateRawSync } from 'node:zlib';

export interface ZipEntry {
  readonly name: string;
  readonly content: Uint8Array;
  readonly deflate?: boolean;
  /** Unix mode, as in `0o120777` for a link. */
  readonly mode?: number;
  /** What the directory says, if not the truth. */
  readonly claimedBytes?: number;
  /** Where the directory says that the entry is: at another one. */
  readonly sharesBytesOf?: number;
  readonly encrypted?: boolean;
  /** As archives from macOS: the name is UTF-8, and no flag says so. */
  readonly withoutUtf8Flag?: boolean;
}

/** A ZIP archive byte by byte (PKWARE's APPNOTE 4.3), honest or not. */
export function zipFile(entries: readonly ZipEntry[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  const offsets: number[] = [];
  let offset = 0;
  for (const { name, content, deflate = false, mode = 0o100_644, encrypted = false, ...lies } of entries) {
    const nameBytes = Buffer.from(name);
    const data = deflate ? deflateRawSync(content) : Buffer.from(content);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE((lies.withoutUtf8Flag === true ? 0 : 0x0800) | (encrypted ? 1 : 0), 2);
    common.writeUInt16LE(deflate ? 8 : 0, 4);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(lies.claimedBytes ?? content.length, 18);
    common.writeUInt16LE(nameBytes.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, nameBytes, data]);
    offsets.push(offset);
    const place = Buffer.alloc(14);
    place.writeUInt32LE((mode << 16) >>> 0, 6);
    place.writeUInt32LE(offsets[lies.sharesBytesOf ?? offsets.length - 1]!, 10);
    // Made on Unix, so that the mode counts.
    const head = Buffer.from('PK\x01\x02\x14\x03', 'latin1');
    directory.push(Buffer.concat([head, common, place, nameBytes]));
    parts.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, central, end]);
}

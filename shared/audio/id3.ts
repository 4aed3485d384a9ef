import { hasTextAt } from './bytes';

const headerBytes = 10;

/** Where the ID3v2 tags that stand at the front of some files end; 0 without any. May lie beyond the file's end. */
export function id3End(bytes: Uint8Array): number {
  let at = 0;
  while (hasTextAt(bytes, at, 'ID3') && at + headerBytes <= bytes.length) {
    // Four times seven bits, so that a size never looks like a frame of MPEG audio.
    const size = bytes.subarray(at + 6, at + headerBytes).reduce((sum, byte) => sum * 128 + (byte & 0x7f), 0);
    const hasFooter = (bytes[at + 5]! & 0x10) !== 0;
    at += headerBytes + size + (hasFooter ? headerBytes : 0);
  }
  return at;
}

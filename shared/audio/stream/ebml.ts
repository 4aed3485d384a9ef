/** The pieces that EBML (RFC 8794) is made of, and the elements of Matroska (RFC 9559) that matter here. */
export const ids = {
  ebml: 0x1a45dfa3,
  documentType: 0x4282,
  segment: 0x18538067,
  info: 0x1549a966,
  timestampScale: 0x2ad7b1,
  tracks: 0x1654ae6b,
  trackEntry: 0xae,
  trackNumber: 0xd7,
  flagDefault: 0x88,
  flagEnabled: 0xb9,
  codecId: 0x86,
  codecPrivate: 0x63a2,
  audio: 0xe1,
  channels: 0x9f,
  contentEncodings: 0x6d80,
  contentEncryption: 0x5035,
  cluster: 0x1f43b675,
  timestamp: 0xe7,
  simpleBlock: 0xa3,
  blockGroup: 0xa0,
  block: 0xa1,
  discardPadding: 0x75a2,
} as const;

/** Length in bytes of the number of variable length that starts with `first`; undefined if it would exceed `most`. */
export function vintLength(first: number | undefined, most: number): number | undefined {
  if (first === undefined) return undefined;
  const length = Math.clz32(first) - 23;
  return length <= most ? length : undefined;
}

/**
 * A number of `length` bytes.
 * @param keepMarker whether the bit that tells the length belongs to it, as in an element's id
 * @returns undefined for the one with all bits set, which means unknown
 */
export function readVint(
  bytes: Uint8Array,
  at: number,
  length: number,
  keepMarker: boolean,
): number | undefined {
  const first = bytes[at]!;
  const payload = first & (0xff >> length);
  let value = keepMarker ? first : payload;
  let allSet = payload === 0xff >> length;
  for (let index = 1; index < length; index += 1) {
    value = value * 256 + bytes[at + index]!;
    allSet &&= bytes[at + index] === 0xff;
  }
  return allSet && !keepMarker ? undefined : value;
}

/** An element's content as a whole number without sign; up to 8 bytes, exact up to 2⁵³. */
export function readUnsigned(body: Uint8Array): number {
  return body.reduce((value, byte) => value * 256 + byte, 0);
}

/** An element's content as a whole number in two's complement. */
export function readSigned(body: Uint8Array): number {
  const value = readUnsigned(body);
  return body.length > 0 && body[0]! >= 0x80 ? value - 256 ** body.length : value;
}

/** The elements in a master element that is all there; what is cut off at its end is left out. */
export function* childrenOf(body: Uint8Array): Generator<{ readonly id: number; readonly body: Uint8Array }> {
  let at = 0;
  while (at < body.length) {
    const idLength = vintLength(body[at], 4);
    const sizeLength = idLength === undefined ? undefined : vintLength(body[at + idLength], 8);
    if (idLength === undefined || sizeLength === undefined) return;
    const start = at + idLength + sizeLength;
    if (start > body.length) return;
    const size = readVint(body, at + idLength, sizeLength, false);
    if (size === undefined || start + size > body.length) return;
    yield { id: readVint(body, at, idLength, true)!, body: body.subarray(start, start + size) };
    at = start + size;
  }
}

/** Element ids of EBML (RFC 8794) and of the part of Matroska (RFC 9559) that is used here. */
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
  samplingFrequency: 0xb5,
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

/**
 * Returns the length in bytes of the variable-length integer that starts with `first`; undefined where
 * it exceeds `maxLength`.
 */
export function vintLength(first: number | undefined, maxLength: number): number | undefined {
  if (first === undefined) return undefined;
  const length = Math.clz32(first) - 23;
  return length <= maxLength ? length : undefined;
}

/**
 * Reads a variable-length integer of `length` bytes.
 * @param keepMarker whether the length marker belongs to the value, as in an element's id
 * @returns undefined where all bits are set, which means unknown
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

export interface ElementHead {
  readonly id: number;
  /** Bytes of the content; undefined for an unknown size. */
  readonly size: number | undefined;
  readonly headBytes: number;
}

/**
 * Parses the element header at the beginning of `bytes`.
 * @returns undefined when it is incomplete, `malformed` when it is invalid
 */
export function parseElementHead(bytes: Uint8Array): ElementHead | 'malformed' | undefined {
  if (bytes.length === 0) return undefined;
  const idLength = vintLength(bytes[0], 4);
  if (idLength === undefined) return 'malformed';
  if (idLength >= bytes.length) return undefined;
  const sizeLength = vintLength(bytes[idLength], 8);
  if (sizeLength === undefined) return 'malformed';
  const headBytes = idLength + sizeLength;
  if (bytes.length < headBytes) return undefined;
  const id = readVint(bytes, 0, idLength, true)!;
  return { id, size: readVint(bytes, idLength, sizeLength, false), headBytes };
}

/** Reads an element's content as an unsigned integer of up to 8 bytes; exact up to 2⁵³. */
export function readUnsigned(body: Uint8Array): number {
  return body.reduce((value, byte) => value * 256 + byte, 0);
}

/** Reads an element's content as a signed integer. */
export function readSigned(body: Uint8Array): number {
  const value = readUnsigned(body);
  return body.length > 0 && body[0]! >= 0x80 ? value - 256 ** body.length : value;
}

/**
 * Yields the elements in the content of a complete master element; an incomplete last one is dropped.
 */
export function* childrenOf(body: Uint8Array): Generator<{ readonly id: number; readonly body: Uint8Array }> {
  let at = 0;
  while (at < body.length) {
    const head = parseElementHead(body.subarray(at));
    if (head === undefined || head === 'malformed' || head.size === undefined) return;
    const start = at + head.headBytes;
    if (start + head.size > body.length) return;
    yield { id: head.id, body: body.subarray(start, start + head.size) };
    at = start + head.size;
  }
}

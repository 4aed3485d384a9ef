import { hasTextAt, viewOf } from './bytes';

/**
 * Recognises one kind of data that may precede a recording.
 * @returns the offset of its end; undefined where `at` holds something else
 */
type LeadingTag = (bytes: Uint8Array, at: number) => number | undefined;

const id3HeaderBytes = 10;
const apeHeaderBytes = 32;
/** Maximum length of text in front of a recording: a saved HTTP header or a song text. */
const maxTextBytes = 65_536;

/** ID3v2, with its optional footer. */
const id3: LeadingTag = (bytes, at) => {
  if (hasTextAt(bytes, at, '3DI')) return at + id3HeaderBytes;
  if (!hasTextAt(bytes, at, 'ID3') || at + id3HeaderBytes > bytes.length) return undefined;
  // Four times seven bits, so that the size never contains the sync code of MPEG audio.
  const sizes = bytes.subarray(at + 6, at + id3HeaderBytes);
  const size = sizes.reduce((sum, byte) => sum * 128 + (byte & 0x7f), 0);
  const hasFooter = (bytes[at + 5]! & 0x10) !== 0;
  return at + id3HeaderBytes + size + (hasFooter ? id3HeaderBytes : 0);
};

/** The size in an APE header counts the bytes after it, including the footer. */
const ape: LeadingTag = (bytes, at) =>
  hasTextAt(bytes, at, 'APETAGEX') && at + apeHeaderBytes <= bytes.length
    ? at + apeHeaderBytes + viewOf(bytes).getUint32(at + 12, true)
    : undefined;

/** Returns the offset after the first of `ends` within `maxTextBytes`; undefined where none is found. */
function endOfText(bytes: Uint8Array, at: number, ends: readonly string[]): number | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + at, Math.min(maxTextBytes, bytes.length - at));
  const found = ends
    .map((end) => ({ end, place: text.indexOf(end, 0, 'latin1') }))
    .filter(({ place }) => place >= 0)
    .sort((a, b) => a.place - b.place);
  return found[0] === undefined ? undefined : at + found[0].place + found[0].end.length;
}

/** Lyrics3: a song text between two marker words. */
const lyrics: LeadingTag = (bytes, at) =>
  hasTextAt(bytes, at, 'LYRICSBEGIN') ? endOfText(bytes, at, ['LYRICS200', 'LYRICSEND']) : undefined;

/** ID3v1. It belongs to the end of a file, and so precedes a file that was appended to another. */
const id3v1: LeadingTag = (bytes, at) =>
  hasTextAt(bytes, at, 'TAG+') ? at + 227 : hasTextAt(bytes, at, 'TAG') ? at + 128 : undefined;

/** The header of an HTTP or Icecast response that was saved with the recording. */
const http: LeadingTag = (bytes, at) =>
  hasTextAt(bytes, at, 'HTTP/') || hasTextAt(bytes, at, 'ICY ')
    ? endOfText(bytes, at, ['\r\n\r\n', '\n\n'])
    : undefined;

const leadingTags: readonly LeadingTag[] = [id3, ape, lyrics, id3v1, http];

/**
 * Returns the offset after all tags and headers that follow one another from `start` on. It may lie
 * beyond the end of the file.
 */
export function leadingTagsEnd(bytes: Uint8Array, start = 0): number {
  let at = start;
  for (;;) {
    const end = leadingTags.map((lead) => lead(bytes, at)).find((found) => found !== undefined);
    if (end === undefined) return at;
    at = end;
  }
}

/**
 * Returns the offset of the first byte from `start` on that is not 0; the length where there is none.
 */
export function zeroPaddingEnd(bytes: Uint8Array, start: number): number {
  let at = start;
  while (bytes[at] === 0) at += 1;
  return Math.min(at, bytes.length);
}

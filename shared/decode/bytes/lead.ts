import { hasTextAt, viewOf } from './bytes';

/** What may stand in front of a recording: where the one that begins at `at` ends, or undefined. */
type Lead = (bytes: Uint8Array, at: number) => number | undefined;

const id3HeaderBytes = 10;
const apeHeaderBytes = 32;
/** The head of an HTTP answer that was saved along is shorter; so are song texts. */
const maxTextBytes = 65_536;

/** ID3v2, and the footer that may end it. */
const id3: Lead = (bytes, at) => {
  if (hasTextAt(bytes, at, '3DI')) return at + id3HeaderBytes;
  if (!hasTextAt(bytes, at, 'ID3') || at + id3HeaderBytes > bytes.length) return undefined;
  // Four times seven bits, so that a size never looks like a frame of MPEG audio.
  const sizes = bytes.subarray(at + 6, at + id3HeaderBytes);
  const size = sizes.reduce((sum, byte) => sum * 128 + (byte & 0x7f), 0);
  const hasFooter = (bytes[at + 5]! & 0x10) !== 0;
  return at + id3HeaderBytes + size + (hasFooter ? id3HeaderBytes : 0);
};

/** APE tags state the bytes behind their header, a footer included. */
const ape: Lead = (bytes, at) =>
  hasTextAt(bytes, at, 'APETAGEX') && at + apeHeaderBytes <= bytes.length
    ? at + apeHeaderBytes + viewOf(bytes).getUint32(at + 12, true)
    : undefined;

/** Behind the first of `ends` that comes within reach. */
function behindText(bytes: Uint8Array, at: number, ends: readonly string[]): number | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + at, Math.min(maxTextBytes, bytes.length - at));
  const found = ends
    .map((end) => ({ end, place: text.indexOf(end, 0, 'latin1') }))
    .filter(({ place }) => place >= 0)
    .sort((a, b) => a.place - b.place);
  return found[0] === undefined ? undefined : at + found[0].place + found[0].end.length;
}

/** Lyrics3: a song text between two words. */
const lyrics: Lead = (bytes, at) =>
  hasTextAt(bytes, at, 'LYRICSBEGIN') ? behindText(bytes, at, ['LYRICS200', 'LYRICSEND']) : undefined;

/** ID3v1 belongs to the end of a file, where one was put behind another. */
const id3v1: Lead = (bytes, at) =>
  hasTextAt(bytes, at, 'TAG+') ? at + 227 : hasTextAt(bytes, at, 'TAG') ? at + 128 : undefined;

/** The head of an HTTP or Icecast answer that was saved along with the recording. */
const http: Lead = (bytes, at) =>
  hasTextAt(bytes, at, 'HTTP/') || hasTextAt(bytes, at, 'ICY ')
    ? behindText(bytes, at, ['\r\n\r\n', '\n\n'])
    : undefined;

const leads: readonly Lead[] = [id3, ape, lyrics, id3v1, http];

/** Where the tags and heads end that stand one behind another from `start` on. May lie beyond the file's end. */
export function leadEnd(bytes: Uint8Array, start = 0): number {
  let at = start;
  for (;;) {
    const end = leads.map((lead) => lead(bytes, at)).find((found) => found !== undefined);
    if (end === undefined) return at;
    at = end;
  }
}

/** The first byte from `start` on that is not 0; the length where there is none. */
export function paddingEnd(bytes: Uint8Array, start: number): number {
  let at = start;
  while (bytes[at] === 0) at += 1;
  return Math.min(at, bytes.length);
}

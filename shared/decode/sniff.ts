import { hasTextAt } from './bytes/bytes';
import { leadEnd, paddingEnd } from './bytes/lead';
import { findMpegFrame, isFrameRun } from './codecs/mpeg-frames';
import { createOggDemuxer } from './containers/ogg-demuxer';
import type { OggCodec } from './containers/ogg-pages';
import { describeOtherFile } from './bytes/other-files';
import { foreign, isAdtsRun, isFlac, isRiff } from './signatures';

/** What a recording is. `start` is the byte where its own marker stands, behind any tags and padding. */
export type Sniffed =
  | { readonly kind: 'wav' | 'flac' | 'mp3'; readonly start: number }
  | { readonly kind: 'ogg'; readonly start: number; readonly codec: OggCodec | 'broken' | undefined }
  /** Known, but not decoded in process: ffmpeg's name for the container goes with it. */
  | { readonly kind: 'foreign'; readonly start: number; readonly format: string; readonly demuxer: string }
  /** Known to be no sound: a sentence about it. */
  | { readonly kind: 'other'; readonly sentence: string }
  | { readonly kind: 'unknown' };

/** How far behind tags and padding a recording is looked for. */
const maxSearchBytes = 1 << 20;
/** Headers of all the streams that begin together are within this. */
const maxOggHeadBytes = 1 << 20;
/** Frames that must follow one another before bytes in the middle of nowhere are taken for AAC. */
const adtsFramesToTrust = 4;

/** The codec of an Ogg file's first sound; undefined where only streams without sound begin. */
function sniffOgg(bytes: Uint8Array, start: number): OggCodec | 'broken' | undefined {
  const demuxer = createOggDemuxer(Infinity);
  let isBroken = false;
  for (const piece of demuxer.push(bytes.subarray(start, start + maxOggHeadBytes))) {
    if (piece.kind === 'head') return piece.codec;
    isBroken = true;
  }
  return isBroken ? 'broken' : undefined;
}

/** What begins at `start`, if that is known. */
function sniffAt(bytes: Uint8Array, start: number): Sniffed | undefined {
  if (isRiff(bytes, start, 'WAVE')) return { kind: 'wav', start };
  if (hasTextAt(bytes, start, 'fLaC')) return { kind: 'flac', start };
  if (hasTextAt(bytes, start, 'OggS')) return { kind: 'ogg', start, codec: sniffOgg(bytes, start) };
  const signature = foreign.find(({ matches }) => matches(bytes, start));
  if (signature !== undefined) {
    return { kind: 'foreign', start, format: signature.format, demuxer: signature.demuxer };
  }
  return isFrameRun(bytes, start, 2) ? { kind: 'mp3', start } : undefined;
}

/** Markers long or well-guarded enough to be believed amid other bytes, and how far they stand behind the beginning. */
const markers: readonly [
  text: string,
  offset: number,
  isRight: (bytes: Uint8Array, start: number) => boolean,
][] = [
  ['RIFF', 0, (bytes, start) => isRiff(bytes, start, 'WAVE')],
  ['RIFX', 0, (bytes, start) => isRiff(bytes, start, 'WAVE')],
  ['RF64', 0, (bytes, start) => isRiff(bytes, start, 'WAVE')],
  ['BW64', 0, (bytes, start) => isRiff(bytes, start, 'WAVE')],
  ['fLaC', 0, isFlac],
  ['OggS\0', 0, () => true],
  ['ftyp', 4, (bytes, start) => bytes[start] === 0 && bytes[start + 1] === 0],
  ['\x1a\x45\xdf\xa3', 0, (bytes, start) => sniffAt(bytes, start) !== undefined],
];

/** Where the first marker stands from `from` on and before `until`. */
function findMarker(bytes: Uint8Array, from: number, until: number): number {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, until));
  let first = until;
  for (const [marker, offset, isRight] of markers) {
    let at = text.indexOf(marker, from + offset, 'latin1');
    while (at >= 0 && at - offset < first && !isRight(bytes, at - offset))
      at = text.indexOf(marker, at + 1, 'latin1');
    if (at >= 0) first = Math.min(first, at - offset);
  }
  return first;
}

function findAdts(bytes: Uint8Array, from: number, until: number): number {
  for (let at = bytes.indexOf(0xff, from); at >= 0 && at < until; at = bytes.indexOf(0xff, at + 1)) {
    if (isAdtsRun(bytes, at, adtsFramesToTrust)) return at;
  }
  return -1;
}

/** A recording behind bytes that nobody knows: padding that no tag counts, a head of some program's own. */
function search(bytes: Uint8Array, from: number): Sniffed | undefined {
  const sound = paddingEnd(bytes, from);
  // A box begins with its length, whose first bytes may be zeros.
  const begin = Math.max(from, sound - 3);
  const end = Math.min(bytes.length, sound + maxSearchBytes);
  const marker = findMarker(bytes, begin, end);
  const frame = findMpegFrame(bytes, begin, marker);
  const adts = findAdts(bytes, begin, frame >= 0 ? frame : marker);
  if (adts >= 0) return sniffAt(bytes, adts);
  if (frame >= 0) return { kind: 'mp3', start: frame };
  return marker < end ? sniffAt(bytes, marker) : undefined;
}

/**
 * What a file is, by its content alone: names and declared types are never looked at. Tags, the heads of HTTP answers and padding
 * of any length in front are passed over, and other bytes for up to a MiB.
 */
export function sniff(bytes: Uint8Array): Sniffed {
  const start = leadEnd(bytes);
  const found = sniffAt(bytes, start);
  if (found !== undefined) return found;
  const sentence = describeOtherFile(bytes, start);
  if (sentence !== undefined) return { kind: 'other', sentence };
  // A tag may state a wrong length: then the recording stands within it.
  return search(bytes, start) ?? (start === 0 ? undefined : search(bytes, 0)) ?? { kind: 'unknown' };
}

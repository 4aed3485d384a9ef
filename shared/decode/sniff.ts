import { hasTextAt } from './bytes/bytes';
import { leadingTagsEnd, zeroPaddingEnd } from './bytes/leading-tags';
import { findMpegFrame, isFrameRun } from './codecs/mpeg-frames';
import { createOggDemuxer } from './containers/ogg-demuxer';
import type { OggCodec } from './containers/ogg-pages';
import { describeNonAudioFile } from './bytes/non-audio-files';
import { ffmpegSignatures, isAdtsRun, isFlac, isRiff } from './containers/signatures';

/** The detected format. `start` is the offset of its marker, after any tags and padding. */
export type Sniffed =
  | { readonly kind: 'wav' | 'flac' | 'mp3'; readonly start: number }
  | { readonly kind: 'ogg'; readonly start: number; readonly codec: OggCodec | 'broken' | undefined }
  /** Detected, but not decoded in process; `demuxer` is ffmpeg's name for the container. */
  | { readonly kind: 'foreign'; readonly start: number; readonly format: string; readonly demuxer: string }
  /** Detected as a file without audio; `sentence` describes it. */
  | { readonly kind: 'other'; readonly sentence: string }
  | { readonly kind: 'unknown' };

/** How many bytes after tags and padding are searched for a recording. */
const maxSearchBytes = 1 << 20;
/** The headers of all streams that begin together are within this many bytes. */
const maxOggHeadBytes = 1 << 20;
/** Number of consecutive AAC frames that are required away from the expected start. */
const adtsFramesToTrust = 4;

/**
 * Returns the codec of an Ogg file's first audio stream; undefined where there are only other streams.
 */
function sniffOgg(bytes: Uint8Array, start: number): OggCodec | 'broken' | undefined {
  const demuxer = createOggDemuxer(Infinity);
  let isBroken = false;
  for (const piece of demuxer.push(bytes.subarray(start, start + maxOggHeadBytes))) {
    if (piece.kind === 'head') return piece.codec;
    isBroken = true;
  }
  return isBroken ? 'broken' : undefined;
}

/** Detects the format at `start`; undefined where it is unknown. */
function sniffAt(bytes: Uint8Array, start: number): Sniffed | undefined {
  if (isRiff(bytes, start, 'WAVE')) return { kind: 'wav', start };
  if (hasTextAt(bytes, start, 'fLaC')) return { kind: 'flac', start };
  if (hasTextAt(bytes, start, 'OggS')) return { kind: 'ogg', start, codec: sniffOgg(bytes, start) };
  const signature = ffmpegSignatures.find(({ matches }) => matches(bytes, start));
  if (signature !== undefined) {
    return { kind: 'foreign', start, format: signature.format, demuxer: signature.demuxer };
  }
  return isFrameRun(bytes, start, 2) ? { kind: 'mp3', start } : undefined;
}

/**
 * Markers that are distinctive enough to be found among other bytes, with their offset from the start of
 * the file.
 */
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

/** Returns the offset of the first marker in [`from`, `until`); `until` where there is none. */
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

/** Searches for a recording after unknown bytes, such as padding or a proprietary header. */
function search(bytes: Uint8Array, from: number): Sniffed | undefined {
  const sound = zeroPaddingEnd(bytes, from);
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
 * Detects a file's format from its content alone, ignoring names and declared types. Tags, HTTP headers
 * and padding of any length are skipped, and up to 1 MiB of other bytes.
 */
export function sniff(bytes: Uint8Array): Sniffed {
  const start = leadingTagsEnd(bytes);
  const found = sniffAt(bytes, start);
  if (found !== undefined) return found;
  const sentence = describeNonAudioFile(bytes, start);
  if (sentence !== undefined) return { kind: 'other', sentence };
  // A tag may state a wrong length; the recording is then searched within it.
  return search(bytes, start) ?? (start === 0 ? undefined : search(bytes, 0)) ?? { kind: 'unknown' };
}

import { hasTextAt } from './bytes';
import { id3End } from './id3';
import { findMpegFrame } from './mpeg-frames';
import { createOggDemuxer } from './ogg-demuxer';
import type { OggCodec } from './ogg-pages';

/** A format decoded in process. `start` is the byte where its own marker stands, behind any ID3v2 tag. */
export type Sniffed =
  | { readonly kind: 'wav' | 'flac' | 'mp3'; readonly start: number }
  | { readonly kind: 'ogg'; readonly codec: OggCodec | 'broken' | undefined }
  /** Known, but not decoded in process: ffmpeg's name for the container goes with it. */
  | { readonly kind: 'foreign'; readonly format: string; readonly demuxer: string }
  | { readonly kind: 'unknown' };

interface Signature {
  readonly format: string;
  /** What ffmpeg calls it. It is told, never asked to guess: some of its guesses open other files. */
  readonly demuxer: string;
  readonly matches: (bytes: Uint8Array, start: number) => boolean;
}

const starts =
  (...texts: readonly string[]) =>
  (bytes: Uint8Array, start: number): boolean =>
    texts.some((text) => hasTextAt(bytes, start, text));

const foreign: readonly Signature[] = [
  { format: 'mp4', demuxer: 'mov', matches: isMp4 },
  { format: 'matroska', demuxer: 'matroska', matches: (bytes, start) => isEbml(bytes, start, 'matroska') },
  { format: 'webm', demuxer: 'matroska', matches: (bytes, start) => isEbml(bytes, start, 'webm') },
  { format: 'asf', demuxer: 'asf', matches: starts('\x30\x26\xb2\x75\x8e\x66\xcf\x11') },
  { format: 'aiff', demuxer: 'aiff', matches: isAiff },
  { format: 'au', demuxer: 'au', matches: starts('.snd') },
  { format: 'caf', demuxer: 'caf', matches: starts('caff\0\x01') },
  { format: 'amr', demuxer: 'amr', matches: starts('#!AMR\n', '#!AMR-WB\n') },
  { format: 'w64', demuxer: 'w64', matches: starts('riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb') },
  { format: 'avi', demuxer: 'avi', matches: (bytes, start) => isRiff(bytes, start, 'AVI ') },
  { format: 'flv', demuxer: 'flv', matches: starts('FLV\x01') },
  { format: 'ape', demuxer: 'ape', matches: starts('MAC ') },
  { format: 'wavpack', demuxer: 'wv', matches: starts('wvpk') },
  { format: 'tta', demuxer: 'tta', matches: starts('TTA1') },
  { format: 'dsf', demuxer: 'dsf', matches: starts('DSD ') },
  { format: 'ac3', demuxer: 'ac3', matches: starts('\x0b\x77') },
  { format: 'mpegts', demuxer: 'mpegts', matches: isTransportStream },
  { format: 'aac', demuxer: 'aac', matches: isAdts },
];

function isRiff(bytes: Uint8Array, start: number, form: string): boolean {
  return starts('RIFF', 'RIFX', 'RF64', 'BW64')(bytes, start) && hasTextAt(bytes, start + 8, form);
}

function isAiff(bytes: Uint8Array, start: number): boolean {
  return hasTextAt(bytes, start, 'FORM') && starts('AIFF', 'AIFC')(bytes, start + 8);
}

/** ISO base media: its first box is one of a few; QuickTime files may go without `ftyp`. */
function isMp4(bytes: Uint8Array, start: number): boolean {
  return starts('ftyp', 'moov', 'mdat', 'wide', 'styp')(bytes, start + 4);
}

/** Matroska and WebM differ in the document type that stands in their first few bytes. */
function isEbml(bytes: Uint8Array, start: number, documentType: string): boolean {
  if (!hasTextAt(bytes, start, '\x1a\x45\xdf\xa3')) return false;
  const head = Buffer.from(bytes.subarray(start, start + 64)).toString('latin1');
  return head.includes(`\x42\x82${String.fromCharCode(0x80 | documentType.length)}${documentType}`);
}

/** Packets of 188 bytes, each opening with the same byte; three in a row are no accident. */
function isTransportStream(bytes: Uint8Array, start: number): boolean {
  return [0, 188, 376].every((offset) => bytes[start + offset] === 0x47);
}

/** AAC in ADTS: two frames in a row, of a kind. */
function isAdts(bytes: Uint8Array, start: number): boolean {
  const isHeader = (at: number): boolean =>
    at + 7 <= bytes.length && bytes[at] === 0xff && (bytes[at + 1]! & 0xf6) === 0xf0;
  if (!isHeader(start)) return false;
  const size = ((bytes[start + 3]! & 3) << 11) | (bytes[start + 4]! << 3) | (bytes[start + 5]! >> 5);
  const next = start + size;
  return size >= 7 && isHeader(next) && bytes[next + 2] === bytes[start + 2];
}

/** Rubbish that may stand before the first frame of an MP3 file. */
const maxMpegLeadBytes = 16_384;

/** Headers of all the streams that begin together are within this. */
const maxOggHeadBytes = 1 << 20;

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

/** What a file is, by its content alone: names and declared types are never looked at. */
export function sniff(bytes: Uint8Array): Sniffed {
  const start = id3End(bytes);
  if (isRiff(bytes, start, 'WAVE')) return { kind: 'wav', start };
  if (hasTextAt(bytes, start, 'fLaC')) return { kind: 'flac', start };
  if (hasTextAt(bytes, start, 'OggS')) return { kind: 'ogg', codec: sniffOgg(bytes, start) };
  const signature = foreign.find(({ matches }) => matches(bytes, start));
  if (signature !== undefined) {
    return { kind: 'foreign', format: signature.format, demuxer: signature.demuxer };
  }
  const frame = findMpegFrame(bytes, start, start + maxMpegLeadBytes);
  return frame >= 0 ? { kind: 'mp3', start: frame } : { kind: 'unknown' };
}

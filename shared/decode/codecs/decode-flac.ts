import { hasTextAt } from '../bytes/bytes';
import type { ClipBuilder } from '../bytes/clip-builder';
import { formatError } from '../bytes/format-error';
import { decodeFlacFrame, type FlacFrame } from './flac-frame';
import {
  flacMarker,
  flacSoundOffset,
  parseFlacFrameHeader,
  parseStreamInfo,
  type FlacFrameHeader,
  type FlacStreamInfo,
} from './flac-header';
import { leadingTagsEnd } from '../bytes/leading-tags';
import { isFlac } from '../containers/signatures';
import { workNs } from '../bytes/work-budget';

/** Smaller than any frame. */
const minFrameBytes = 10;

/** Tells whether an ID3v1 or APE tag begins at `at`. */
function isTag(bytes: Uint8Array, at: number): boolean {
  return (at === bytes.length - 128 && hasTextAt(bytes, at, 'TAG')) || hasTextAt(bytes, at, 'APETAGEX');
}

/** Tells whether no frame begins at or after `at`. */
function hasNoFrameFrom(bytes: Uint8Array, at: number): boolean {
  for (let next = at; next >= 0; next = bytes.indexOf(0xff, next + 1)) {
    if (parseFlacFrameHeader(bytes, next) !== undefined) return false;
  }
  return true;
}

/**
 * Decodes the frame at `at`; `fileOffset` is its offset in the file.
 * @param follows whether the frame must directly follow the previous one
 * @returns undefined when the bytes end within the frame
 */
export type ReadFlacFrame = (
  bytes: Uint8Array,
  at: number,
  fileOffset: number,
  follows: boolean,
) => FlacFrame | undefined;

/** Reads the frames of one stream in order and detects missing frames. */
export function createFlacFrameReader(info: FlacStreamInfo): ReadFlacFrame {
  let previous: FlacFrameHeader | undefined;

  function assertFollows(header: FlacFrameHeader, fileOffset: number): void {
    if (previous === undefined) return;
    const step = header.countsSamples ? previous.blockSamples : 1;
    if (header.number === previous.number + step) return;
    throw formatError('FLAC', fileOffset, 'a frame before this one is missing');
  }

  return (bytes, at, fileOffset, follows) => {
    const header = parseFlacFrameHeader(bytes, at);
    if (header === undefined) throw formatError('FLAC', fileOffset, 'a frame was expected here');
    if (follows) assertFollows(header, fileOffset);
    const frame = decodeFlacFrame(bytes, at, fileOffset, header, info);
    if (frame !== undefined) previous = header;
    return frame;
  };
}

/**
 * Decodes a native FLAC file whose `fLaC` marker stands at `start`, and FLAC files appended to it, as
 * one recording. An incomplete last frame is dropped.
 * @throws AppError undecodable-audio, and the errors of the builder
 */
export function decodeFlac(bytes: Uint8Array, start: number, builder: ClipBuilder): void {
  for (let at: number | undefined = start; at !== undefined;) {
    const end = decodeFlacStream(bytes, at, builder);
    const next: number = leadingTagsEnd(bytes, end);
    at = isFlac(bytes, next) ? next : undefined;
  }
}

/** @returns the offset of the end of its audio */
function decodeFlacStream(bytes: Uint8Array, start: number, builder: ClipBuilder): number {
  let at = flacSoundOffset(bytes, start);
  const info = parseStreamInfo(bytes, start + flacMarker.length + 4);
  const { sampleRate, channels, totalSamples } = info;
  builder.begin({ format: 'flac', codec: 'flac', sampleRate, channels, claimedSamples: totalSamples });
  const readFrame = createFlacFrameReader(info);
  let samples = 0;
  while (at + minFrameBytes <= bytes.length) {
    // Bytes after the stated number of samples, such as tags, are not audio.
    if (totalSamples > 0 && samples >= totalSamples) return at;
    if (isTag(bytes, at) || isFlac(bytes, leadingTagsEnd(bytes, at)) || hasNoFrameFrom(bytes, at)) return at;
    const frame = readFrame(bytes, at, at, true);
    if (frame === undefined) return bytes.length;
    builder.spend(frame.products * workNs.product);
    builder.push(frame.channels);
    samples += frame.channels[0]!.length;
    at += frame.byteLength;
  }
  return at;
}

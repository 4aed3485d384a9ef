import { hasTextAt } from '../bytes/bytes';
import type { ClipBuilder } from '../bytes/clip-builder';
import { damaged } from '../bytes/damaged';
import { decodeFlacFrame, type FlacFrame } from './flac-frame';
import {
  flacMarker,
  flacSoundOffset,
  parseFlacFrameHeader,
  parseStreamInfo,
  type FlacFrameHeader,
  type FlacStreamInfo,
} from './flac-header';
import { leadEnd } from '../bytes/lead';
import { isFlac } from '../signatures';
import { workNs } from '../bytes/work-budget';

/** Fewer bytes than any frame has. */
const leastFrameBytes = 10;

/** An ID3v1 or APE tag that a tagger hung behind the sound. */
function isTag(bytes: Uint8Array, at: number): boolean {
  return (at === bytes.length - 128 && hasTextAt(bytes, at, 'TAG')) || hasTextAt(bytes, at, 'APETAGEX');
}

/** Whether no frame begins at `at` nor anywhere behind it. */
function isBehindSound(bytes: Uint8Array, at: number): boolean {
  for (let next = at; next >= 0; next = bytes.indexOf(0xff, next + 1)) {
    if (parseFlacFrameHeader(bytes, next) !== undefined) return false;
  }
  return true;
}

/**
 * Decodes the frame at `at`; `fileOffset` is where that is in the file.
 * @param follows whether no frame may be missing in front of it
 * @returns undefined when the bytes end within the frame
 */
export type ReadFlacFrame = (
  bytes: Uint8Array,
  at: number,
  fileOffset: number,
  follows: boolean,
) => FlacFrame | undefined;

/** Takes the frames of a stream one by one and notices when one is missing between them. */
export function createFlacFrameReader(info: FlacStreamInfo): ReadFlacFrame {
  let previous: FlacFrameHeader | undefined;

  function assertFollows(header: FlacFrameHeader, fileOffset: number): void {
    if (previous === undefined) return;
    const step = header.countsSamples ? previous.blockSamples : 1;
    if (header.number === previous.number + step) return;
    throw damaged('FLAC', fileOffset, 'a frame before this one is missing');
  }

  return (bytes, at, fileOffset, follows) => {
    const header = parseFlacFrameHeader(bytes, at);
    if (header === undefined) throw damaged('FLAC', fileOffset, 'a frame was expected here');
    if (follows) assertFollows(header, fileOffset);
    const frame = decodeFlacFrame(bytes, at, fileOffset, header, info);
    if (frame !== undefined) previous = header;
    return frame;
  };
}

/**
 * Decodes a native FLAC file whose `fLaC` stands at `start`, and what was hung behind it: its sound is the streams' one after another. A
 * last frame that is cut off is left out.
 * @throws AppError undecodable-audio, and what the builder throws
 */
export function decodeFlac(bytes: Uint8Array, start: number, builder: ClipBuilder): void {
  for (let at: number | undefined = start; at !== undefined;) {
    const end = decodeFlacStream(bytes, at, builder);
    const next: number = leadEnd(bytes, end);
    at = isFlac(bytes, next) ? next : undefined;
  }
}

/** @returns where its sound ends */
function decodeFlacStream(bytes: Uint8Array, start: number, builder: ClipBuilder): number {
  let at = flacSoundOffset(bytes, start);
  const info = parseStreamInfo(bytes, start + flacMarker.length + 4);
  const { sampleRate, channels, totalSamples } = info;
  builder.begin({ format: 'flac', codec: 'flac', sampleRate, channels, claimedSamples: totalSamples });
  const readFrame = createFlacFrameReader(info);
  let samples = 0;
  while (at + leastFrameBytes <= bytes.length) {
    // What a tagger or a broken copy hung behind the last sample is no frame.
    if (totalSamples > 0 && samples >= totalSamples) return at;
    if (isTag(bytes, at) || isFlac(bytes, leadEnd(bytes, at)) || isBehindSound(bytes, at)) return at;
    const frame = readFrame(bytes, at, at, true);
    if (frame === undefined) return bytes.length;
    builder.spend(frame.products * workNs.product);
    builder.push(frame.channels);
    samples += frame.channels[0]!.length;
    at += frame.byteLength;
  }
  return at;
}

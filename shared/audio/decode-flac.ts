import { hasTextAt } from './bytes';
import type { ClipBuilder } from './clip-builder';
import { damaged } from './damaged';
import { decodeFlacFrame } from './flac-frame';
import {
  flacMarker,
  flacSoundOffset,
  parseFlacFrameHeader,
  parseStreamInfo,
  type FlacFrameHeader,
  type FlacStreamInfo,
} from './flac-header';

/** Fewer bytes than any frame has. */
const leastFrameBytes = 10;

/** An ID3v1 or APE tag that a tagger hung behind the sound. */
function isTag(bytes: Uint8Array, at: number): boolean {
  return (at === bytes.length - 128 && hasTextAt(bytes, at, 'TAG')) || hasTextAt(bytes, at, 'APETAGEX');
}

/**
 * Decodes the frame at `at` into the builder; `fileOffset` is where that is in the file.
 * @returns the frame's length in bytes, or undefined when the bytes end within it
 */
export type ReadFlacFrame = (bytes: Uint8Array, at: number, fileOffset: number) => number | undefined;

/** Takes the frames of a stream one by one and notices when one is missing between them. */
export function createFlacFrameReader(info: FlacStreamInfo, builder: ClipBuilder): ReadFlacFrame {
  let previous: FlacFrameHeader | undefined;

  function assertFollows(header: FlacFrameHeader, fileOffset: number): void {
    if (previous === undefined) return;
    const step = header.countsSamples ? previous.blockSamples : 1;
    if (header.number === previous.number + step) return;
    throw damaged('FLAC', fileOffset, 'a frame before this one is missing');
  }

  return (bytes, at, fileOffset) => {
    const header = parseFlacFrameHeader(bytes, at);
    if (header === undefined) throw damaged('FLAC', fileOffset, 'a frame was expected here');
    assertFollows(header, fileOffset);
    const frame = decodeFlacFrame(bytes, at, fileOffset, header, info);
    if (frame === undefined) return undefined;
    previous = header;
    builder.push(frame.channels);
    return frame.byteLength;
  };
}

/**
 * Decodes a native FLAC file whose `fLaC` stands at `start`. A last frame that is cut off is left out.
 * @throws AppError undecodable-audio, and what the builder throws
 */
export function decodeFlac(bytes: Uint8Array, start: number, builder: ClipBuilder): void {
  let at = flacSoundOffset(bytes, start);
  const info = parseStreamInfo(bytes, start + flacMarker.length + 4);
  const { sampleRate, channels, totalSamples } = info;
  builder.begin({ format: 'flac', codec: 'flac', sampleRate, channels, claimedSamples: totalSamples });
  const readFrame = createFlacFrameReader(info, builder);
  while (at + leastFrameBytes <= bytes.length && !isTag(bytes, at)) {
    const length = readFrame(bytes, at, at);
    if (length === undefined) return;
    at += length;
  }
}

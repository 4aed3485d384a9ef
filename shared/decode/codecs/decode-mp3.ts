import { MPEGDecoder } from 'mpg123-decoder';
import type { ClipBuilder } from '../bytes/clip-builder';
import { damaged } from '../bytes/damaged';
import { fullScaleLimit } from '../../signal/full-scale-guard';
import { scanMpegFrames, type MpegSection } from './mpeg-frames';

const framesAtOnce = 64;
/** Of one frame with the next, at most. */
const overlapSamples = 1152;
/** Frames that a decoder may cut away: the one with the encoder's notes, and its delay and padding. */
const unheardFrames = 4;

function join(frames: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(frames.reduce((sum, frame) => sum + frame.length, 0));
  let offset = 0;
  for (const frame of frames) {
    joined.set(frame, offset);
    offset += frame.length;
  }
  return joined;
}

/** Frames overlap: what a damaged one decodes to, which the clip's builder mutes, shows in the end of the one before. */
function muteOnset(sound: readonly Float32Array[]): void {
  for (const channel of sound) {
    const beyond = channel.findIndex((sample) => Math.abs(sample) > fullScaleLimit);
    if (beyond >= 0) channel.fill(0, Math.max(0, beyond - overlapSamples), beyond);
  }
}

/** Decodes frames of a kind with a decoder of their own: one that went on would resample what comes to its first rate. */
async function decodeSection(
  { first, channels, frames }: MpegSection,
  fileOffset: number,
  builder: ClipBuilder,
): Promise<void> {
  const { codec, sampleRate, frameSamples } = first;
  const claimedSamples = Math.max(0, frames.length - unheardFrames) * frameSamples;
  builder.begin({ format: 'mp3', codec, sampleRate, channels, claimedSamples });
  const decoder = new MPEGDecoder();
  await decoder.ready;
  try {
    for (let index = 0; index < frames.length; index += framesAtOnce) {
      const decoded = decoder.decode(join(frames.slice(index, index + framesAtOnce)));
      const at = frames[index]!.byteOffset - fileOffset;
      if (decoded.errors.length > 0) throw damaged('MP3', at, 'a frame cannot be decoded');
      // The decoder always gives two channels; those of a mono file are the same.
      if (decoded.samplesDecoded === 0) continue;
      const sound = decoded.channelData.slice(0, channels);
      muteOnset(sound);
      builder.push(sound);
    }
  } finally {
    decoder.free();
  }
}

/**
 * Decodes MPEG audio (layers I to III) whose first frame stands at `start`. The encoder's delay and padding are cut away
 * where the file states them (LAME and its kin do). A file that changes its rate or its channels is decoded part by part.
 * @throws AppError undecodable-audio, and what the builder throws
 */
export async function decodeMp3(bytes: Uint8Array, start: number, builder: ClipBuilder): Promise<void> {
  const sections = scanMpegFrames(bytes, start);
  if (sections.length === 0) throw damaged('MP3', start, 'a frame was expected here');
  for (const section of sections) await decodeSection(section, bytes.byteOffset, builder);
}

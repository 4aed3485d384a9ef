import { MPEGDecoder } from 'mpg123-decoder';
import type { ClipBuilder } from '../bytes/clip-builder';
import { formatError } from '../bytes/format-error';
import { fullScaleLimit } from '../../signal/full-scale-guard';
import { scanMpegFrames, type MpegSection } from './mpeg-frames';

const framesPerCall = 64;
/** Maximum overlap of a frame with the next. */
const overlapSamples = 1152;
/**
 * Frames that a decoder may trim: the one with the encoder's information, and those of its delay and
 * padding.
 */
const maxTrimmedFrames = 4;

function join(frames: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(frames.reduce((sum, frame) => sum + frame.length, 0));
  let offset = 0;
  for (const frame of frames) {
    joined.set(frame, offset);
    offset += frame.length;
  }
  return joined;
}

/**
 * Mutes one frame length before the first sample beyond full scale. Frames overlap, so a damaged frame
 * also changes the end of the previous one. The clip builder mutes the damaged frame itself.
 */
function muteOnset(sound: readonly Float32Array[]): void {
  for (const channel of sound) {
    const beyond = channel.findIndex((sample) => Math.abs(sample) > fullScaleLimit);
    if (beyond >= 0) channel.fill(0, Math.max(0, beyond - overlapSamples), beyond);
  }
}

/**
 * Decodes frames of one kind with a decoder of their own. A shared decoder would resample later sections
 * to the rate of the first.
 */
async function decodeSection(
  { first, channels, frames }: MpegSection,
  fileOffset: number,
  builder: ClipBuilder,
): Promise<void> {
  const { codec, sampleRate, frameSamples } = first;
  const claimedSamples = Math.max(0, frames.length - maxTrimmedFrames) * frameSamples;
  builder.begin({ format: 'mp3', codec, sampleRate, channels, claimedSamples });
  const decoder = new MPEGDecoder();
  await decoder.ready;
  try {
    for (let index = 0; index < frames.length; index += framesPerCall) {
      const decoded = decoder.decode(join(frames.slice(index, index + framesPerCall)));
      const at = frames[index]!.byteOffset - fileOffset;
      if (decoded.errors.length > 0) throw formatError('MP3', at, 'a frame cannot be decoded');
      // The decoder always returns two channels; those of a mono file are equal.
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
 * Decodes MPEG audio (layers I to III) whose first frame stands at `start`. The encoder's delay and
 * padding are trimmed where the file states them, as LAME does. A file that changes its rate or channels
 * is decoded section by section.
 * @throws AppError undecodable-audio, and the errors of the builder
 */
export async function decodeMp3(bytes: Uint8Array, start: number, builder: ClipBuilder): Promise<void> {
  const sections = scanMpegFrames(bytes, start);
  if (sections.length === 0) throw formatError('MP3', start, 'a frame was expected here');
  for (const section of sections) await decodeSection(section, bytes.byteOffset, builder);
}

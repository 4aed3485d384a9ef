import { FLACDecoder } from '@wasm-audio-decoders/flac';
import type { ClipBuilder } from './clip-builder';
import { damaged } from './damaged';
import { flacFrames, parseStreamInfo, soundOffset } from './flac-frames';

const framesAtOnce = 16;
const lastBlockFlag = 0x80;

/** The decoder is shown the marker and STREAMINFO as the only metadata: frames may refer to them for rate and depth. */
function decoderHeader(bytes: Uint8Array, start: number): Uint8Array {
  const header = bytes.slice(start, start + 42);
  header[4]! |= lastBlockFlag;
  return header;
}

/** Decodes a native FLAC file whose `fLaC` stands at `start`. @throws AppError undecodable-audio, and what the builder throws */
export async function decodeFlac(bytes: Uint8Array, start: number, builder: ClipBuilder): Promise<void> {
  const firstFrame = soundOffset(bytes, start);
  const { sampleRate, channels, totalSamples } = parseStreamInfo(bytes, start + 8);
  builder.begin({ format: 'flac', codec: 'flac', sampleRate, channels, claimedSamples: totalSamples });
  const decoder = new FLACDecoder();
  await decoder.ready;

  async function decodeAll(frames: readonly Uint8Array[]): Promise<void> {
    const decoded = await decoder.decodeFrames([...frames]);
    const at = frames[0]!.byteOffset - bytes.byteOffset;
    if (decoded.errors.length > 0) throw damaged('FLAC', at, 'a frame cannot be decoded');
    if (decoded.samplesDecoded === 0) return;
    if (decoded.channelData.length !== channels || decoded.sampleRate !== sampleRate) {
      throw damaged('FLAC', at, 'a frame differs from STREAMINFO in rate or channels');
    }
    builder.push(decoded.channelData);
  }

  try {
    await decoder.decodeFrames([decoderHeader(bytes, start)]);
    let batch: Uint8Array[] = [];
    for (const frame of flacFrames(bytes, firstFrame)) {
      batch.push(frame);
      if (batch.length < framesAtOnce) continue;
      await decodeAll(batch);
      batch = [];
    }
    if (batch.length > 0) await decodeAll(batch);
  } finally {
    decoder.free();
  }
}

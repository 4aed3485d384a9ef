import { viewOf } from './bytes';
import type { ClipBuilder } from './clip-builder';
import { aLawTable, muLawTable } from './g711';
import type { WavCodec, WavHeader } from './wav-header';

type ReadSample = (view: DataView, offset: number) => number;

const int24 = (view: DataView, offset: number): number =>
  view.getUint8(offset) | (view.getUint8(offset + 1) << 8) | (view.getInt8(offset + 2) << 16);

const readers: Readonly<Record<WavCodec, ReadSample>> = {
  pcm_u8: (view, offset) => (view.getUint8(offset) - 128) / 128,
  pcm_s16le: (view, offset) => view.getInt16(offset, true) / 32_768,
  pcm_s24le: (view, offset) => int24(view, offset) / 8_388_608,
  pcm_s32le: (view, offset) => view.getInt32(offset, true) / 2_147_483_648,
  pcm_f32le: (view, offset) => view.getFloat32(offset, true),
  pcm_f64le: (view, offset) => view.getFloat64(offset, true),
  alaw: (view, offset) => aLawTable[view.getUint8(offset)]!,
  mulaw: (view, offset) => muLawTable[view.getUint8(offset)]!,
};

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** 16-bit integers that lie where, and as, this machine reads them: the commonest by far, without a call for each sample. */
function deinterleave16(
  integers: Int16Array,
  channels: number,
  memory: readonly Float32Array[],
): Float32Array[] {
  return Array.from({ length: channels }, (_, channel) => {
    const out = arrayOf(Math.floor(integers.length / channels), memory[channel]);
    for (let index = 0, at = channel; index < out.length; index += 1, at += channels) {
      out[index] = integers[at]! / 32_768;
    }
    return out;
  });
}

function arrayOf(length: number, memory: Float32Array | undefined): Float32Array {
  return memory !== undefined && memory.length >= length
    ? memory.subarray(0, length)
    : new Float32Array(length);
}

/**
 * Interleaved samples, a whole number of frames of them, as one array a channel.
 * @param memory where to put each channel, as far as it is large enough
 */
export function deinterleave(
  bytes: Uint8Array,
  codec: WavCodec,
  channels: number,
  memory: readonly Float32Array[] = [],
): Float32Array[] {
  if (codec === 'pcm_s16le' && isLittleEndian && bytes.byteOffset % 2 === 0) {
    const integers = new Int16Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / 2));
    return deinterleave16(integers, channels, memory);
  }
  const view = viewOf(bytes);
  const read = readers[codec];
  const sampleBytes =
    codec === 'pcm_u8' || codec === 'alaw' || codec === 'mulaw' ? 1 : Number(codec.slice(5, 7)) / 8;
  const stride = sampleBytes * channels;
  const samples = Math.floor(bytes.length / stride);
  return Array.from({ length: channels }, (_, channel) => {
    const out = arrayOf(samples, memory[channel]);
    let offset = channel * sampleBytes;
    for (let index = 0; index < samples; index += 1) {
      out[index] = read(view, offset);
      offset += stride;
    }
    return out;
  });
}

/** A piece of the file and what is made of it stay in the cache. */
const pieceBytes = 1 << 16;

/** The sound of a WAV file with a codec of ours; integers become [−1, 1), floats stay as they are. */
export function decodeWav(
  bytes: Uint8Array,
  header: WavHeader & { readonly codec: WavCodec },
  builder: ClipBuilder,
): void {
  const { codec, channels, sampleRate, frameBytes, dataOffset, dataBytes } = header;
  const claimedSamples = Math.floor(dataBytes / frameBytes);
  builder.begin({ format: 'wav', codec, channels, sampleRate, claimedSamples });
  const step = Math.max(1, Math.floor(pieceBytes / frameBytes)) * frameBytes;
  const memory = Array.from({ length: channels }, () => new Float32Array(step / frameBytes));
  const end = dataOffset + claimedSamples * frameBytes;
  for (let at = dataOffset; at < end; at += step) {
    builder.push(deinterleave(bytes.subarray(at, Math.min(end, at + step)), codec, channels, memory));
  }
}

import { viewOf } from '../bytes/bytes';
import type { ClipBuilder } from '../bytes/clip-builder';
import { fullScaleLimit, fullScaleWarnings, gainFor } from '../../signal/full-scale-guard';
import { aLawTable, muLawTable } from './g711';
import { sampleBytesOf, type WavCodec } from './wav-format';
import type { WavHeader } from './wav-header';

type ReadSample = (view: DataView, offset: number) => number;

const int24 = (view: DataView, offset: number): number =>
  view.getUint8(offset) | (view.getUint8(offset + 1) << 8) | (view.getInt8(offset + 2) << 16);

const int24be = (view: DataView, offset: number): number =>
  view.getUint8(offset + 2) | (view.getUint8(offset + 1) << 8) | (view.getInt8(offset) << 16);

const readers: Readonly<Record<WavCodec, ReadSample>> = {
  pcm_u8: (view, offset) => (view.getUint8(offset) - 128) / 128,
  pcm_s16le: (view, offset) => view.getInt16(offset, true) / 32_768,
  pcm_s24le: (view, offset) => int24(view, offset) / 8_388_608,
  pcm_s24in32le: (view, offset) => int24(view, offset) / 8_388_608,
  pcm_s32le: (view, offset) => view.getInt32(offset, true) / 2_147_483_648,
  // The low 32 bits are below the precision of a 32-bit float, except for the smallest values.
  pcm_s64le: (view, offset) =>
    view.getInt32(offset + 4, true) / 2 ** 31 + view.getUint32(offset, true) / 2 ** 63,
  pcm_f32le: (view, offset) => view.getFloat32(offset, true),
  pcm_f64le: (view, offset) => view.getFloat64(offset, true),
  pcm_s16be: (view, offset) => view.getInt16(offset) / 32_768,
  pcm_s24be: (view, offset) => int24be(view, offset) / 8_388_608,
  pcm_s32be: (view, offset) => view.getInt32(offset) / 2_147_483_648,
  pcm_s64be: (view, offset) => view.getInt32(offset) / 2 ** 31 + view.getUint32(offset + 4) / 2 ** 63,
  pcm_f32be: (view, offset) => view.getFloat32(offset),
  pcm_f64be: (view, offset) => view.getFloat64(offset),
  alaw: (view, offset) => aLawTable[view.getUint8(offset)]!,
  mulaw: (view, offset) => muLawTable[view.getUint8(offset)]!,
};

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/**
 * Converts 16-bit integers that are aligned and in the byte order of this machine, by far the most
 * common case, without a function call per sample.
 */
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
 * Splits interleaved samples (whole frames) into one array per channel.
 * @param memory arrays to use for the channels, where they are large enough
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
  const sampleBytes = sampleBytesOf(codec);
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

/**
 * Tells whether 24-bit samples in 4 bytes are left-aligned, unlike those that arecord writes: the lowest
 * byte is always 0, and the highest is more than a sign extension. Inspects the first 64 KiB.
 */
function isLeftAligned(sound: Uint8Array): boolean {
  const inspectedBytes = Math.min(sound.length - (sound.length % 4), 1 << 16);
  let isLowEmpty = true;
  let isTopSign = true;
  for (let at = 0; at < inspectedBytes; at += 4) {
    isLowEmpty &&= sound[at] === 0;
    isTopSign &&= sound[at + 3] === (sound[at + 2]! >= 0x80 ? 0xff : 0) || sound[at + 3] === 0;
  }
  return isLowEmpty && !isTopSign;
}

/**
 * Loud samples shorter than this in total, and this many times louder than the rest, count as damage.
 */
const damageSeconds = 0.1;
const damageRatio = 1000;

/**
 * Returns the factor that scales float samples to full scale, for programs that write at another scale
 * such as whole numbers. It is 1 for samples within 18 dB of full scale, and for a few outliers, which
 * the clip builder mutes.
 */
function gainOfFloats(sound: Uint8Array, codec: WavCodec, sampleRate: number, frameBytes: number): number {
  const read = readers[codec];
  const view = viewOf(sound);
  const sampleBytes = sampleBytesOf(codec);
  let [largest, largestOfRest, beyond] = [0, 0, 0];
  let areWhole = true;
  for (let at = 0; at + sampleBytes <= sound.length; at += sampleBytes) {
    const size = Math.abs(read(view, at));
    // The clip builder refuses NaN and infinity.
    if (!Number.isFinite(size)) return 1;
    areWhole &&= Number.isInteger(size);
    if (size > fullScaleLimit) beyond += 1;
    else if (size > largestOfRest) largestOfRest = size;
    if (size > largest) largest = size;
  }
  if (beyond === 0) return 1;
  const beyondSeconds = (beyond * sampleBytes) / frameBytes / sampleRate;
  const isDamage =
    beyondSeconds < damageSeconds && largest > damageRatio * largestOfRest && largestOfRest > 0;
  return isDamage ? 1 : gainFor(largest, areWhole);
}

/** Size of a chunk, so that its bytes and samples fit into the CPU cache. */
const chunkBytes = 1 << 16;

/** The header of a file with a codec that is decoded here. */
export type KnownWavHeader = WavHeader & { readonly codec: WavCodec };

/**
 * Decodes a WAV file with a known codec. Integers become [−1, 1); floats are scaled only where they use
 * another scale.
 */
export function decodeWav(bytes: Uint8Array, header: KnownWavHeader, builder: ClipBuilder): void {
  const { channels, sampleRate, frameBytes, dataOffset, dataBytes } = header;
  const claimedSamples = Math.floor(dataBytes / frameBytes);
  const sound = bytes.subarray(dataOffset, dataOffset + dataBytes);
  const codec = header.codec === 'pcm_s24in32le' && isLeftAligned(sound) ? 'pcm_s32le' : header.codec;
  // ffmpeg's name for the codec.
  const name = header.codec === 'pcm_s24in32le' ? 'pcm_s24le' : codec;
  builder.begin({ format: 'wav', codec: name, channels, sampleRate, claimedSamples });
  const isFloat = codec.startsWith('pcm_f');
  const gain = isFloat ? gainOfFloats(sound, codec, sampleRate, frameBytes) : 1;
  if (gain !== 1) builder.warn(fullScaleWarnings.rescaled);
  const step = Math.max(1, Math.floor(chunkBytes / frameBytes)) * frameBytes;
  const memory = Array.from({ length: channels }, () => new Float32Array(step / frameBytes));
  const end = dataOffset + claimedSamples * frameBytes;
  for (let at = dataOffset; at < end; at += step) {
    const parts = deinterleave(bytes.subarray(at, Math.min(end, at + step)), codec, channels, memory);
    if (gain !== 1)
      for (const part of parts) for (let index = 0; index < part.length; index += 1) part[index]! *= gain;
    builder.push(parts);
  }
}

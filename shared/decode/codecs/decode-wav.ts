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
  // What the lower half adds is below what a float of 32 bits keeps, but for the quietest.
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
 * Whether samples of 24 bits in 4 bytes lie at their top, as other programs than arecord write them: then the lowest byte is nothing
 * but zeros, and the top one more than a sign. Told from the first few thousand.
 */
function liesAtTop(sound: Uint8Array): boolean {
  const looked = Math.min(sound.length - (sound.length % 4), 1 << 16);
  let isLowEmpty = true;
  let isTopSign = true;
  for (let at = 0; at < looked; at += 4) {
    isLowEmpty &&= sound[at] === 0;
    isTopSign &&= sound[at + 3] === (sound[at + 2]! >= 0x80 ? 0xff : 0) || sound[at + 3] === 0;
  }
  return isLowEmpty && !isTopSign;
}

/** Loud blocks of less than this, and so much louder than the rest, are damage rather than the file's scale. */
const damageSeconds = 0.1;
const damageRatio = 1000;

/**
 * By what floats are to be multiplied that a program wrote at a scale of its own, whole numbers for example; 1 for those within
 * 18 dB of full scale, and for a few that stand out of the rest: the clip's builder mutes these.
 */
function gainOfFloats(sound: Uint8Array, codec: WavCodec, sampleRate: number, frameBytes: number): number {
  const read = readers[codec];
  const view = viewOf(sound);
  const sampleBytes = sampleBytesOf(codec);
  let [largest, largestOfRest, beyond] = [0, 0, 0];
  let areWhole = true;
  for (let at = 0; at + sampleBytes <= sound.length; at += sampleBytes) {
    const size = Math.abs(read(view, at));
    // What is no number is for the builder to refuse.
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

/** A piece of the file and what is made of it stay in the cache. */
const pieceBytes = 1 << 16;

/** Of a file whose codec is one of ours. */
export type KnownWavHeader = WavHeader & { readonly codec: WavCodec };

/** The sound of a WAV file with a codec of ours; integers become [−1, 1), floats stay as they are. */
export function decodeWav(bytes: Uint8Array, header: KnownWavHeader, builder: ClipBuilder): void {
  const { channels, sampleRate, frameBytes, dataOffset, dataBytes } = header;
  const claimedSamples = Math.floor(dataBytes / frameBytes);
  const sound = bytes.subarray(dataOffset, dataOffset + dataBytes);
  const codec = header.codec === 'pcm_s24in32le' && liesAtTop(sound) ? 'pcm_s32le' : header.codec;
  // As ffmpeg calls them, whatever they are wrapped in.
  const name = header.codec === 'pcm_s24in32le' ? 'pcm_s24le' : codec;
  builder.begin({ format: 'wav', codec: name, channels, sampleRate, claimedSamples });
  const isFloat = codec.startsWith('pcm_f');
  const gain = isFloat ? gainOfFloats(sound, codec, sampleRate, frameBytes) : 1;
  if (gain !== 1) builder.warn(fullScaleWarnings.rescaled);
  const step = Math.max(1, Math.floor(pieceBytes / frameBytes)) * frameBytes;
  const memory = Array.from({ length: channels }, () => new Float32Array(step / frameBytes));
  const end = dataOffset + claimedSamples * frameBytes;
  for (let at = dataOffset; at < end; at += step) {
    const parts = deinterleave(bytes.subarray(at, Math.min(end, at + step)), codec, channels, memory);
    if (gain !== 1)
      for (const part of parts) for (let index = 0; index < part.length; index += 1) part[index]! *= gain;
    builder.push(parts);
  }
}
